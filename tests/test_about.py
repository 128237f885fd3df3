"""submission.json: its schema, its digits, and keys that a person added."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import ROOT, SHARED

from pgolf_compose.errors import ComposeError
from pgolf_compose.submission.about import (
    About,
    about_schema,
    as_json,
    checked,
    digest,
    merged,
    read_about,
    told,
)

PATH = Path("submission.json")
OURS = {
    "author": "",
    "name": "Mine",
    "val_bpb": Decimal("1.08000"),
    "seed_results": {"1": {"val_bpb": Decimal("1.08000")}},
}


def written(values: dict) -> dict:
    """As it lies in a folder: with what was written here on record."""
    keys = sorted(told(values))
    built = {"keys": keys, "sha256": {"submission.json": digest(values, keys)}}
    return {**values, "built_with": built}


def test_numbers_keep_the_digits_of_the_log():
    text = as_json({"a": Decimal("1.08314800"), "b": [1, 2], "c": {}, "d": None, "e": "é\n"})
    assert text == (
        '{\n  "a": 1.08314800,\n  "b": [1, 2],\n  "c": {},\n  "d": null,\n  "e": "\\u00e9\\n"\n}'
    )
    assert as_json(Decimal("1e99999999")) == "1E+99999999"


def test_keys_of_a_person_stay_and_ours_are_brought_up_to_date():
    old = written(OURS)
    old |= {"author": "me", "gpu": {"count": 8}, "val_bpb": Decimal("1.08000")}
    old["seed_results"] = {"1": {"val_bpb": Decimal("1.08000"), "note": "warm"}, "own": {"x": 1}}
    new = {**OURS, "val_bpb": Decimal("1.07"), "seed_results": {"1": {"val_bpb": Decimal("1.07")}}}
    assert merged(new, old, PATH) == {
        "author": "me",  # not ours: the recipe tells none
        "name": "Mine",
        "val_bpb": Decimal("1.07"),
        "seed_results": {"1": {"val_bpb": Decimal("1.07"), "note": "warm"}, "own": {"x": 1}},
        "gpu": {"count": 8},
    }


def test_what_was_written_and_is_known_no_more_goes():
    old = written({**OURS, "hardware": "8xH100"})
    new = {"author": "", "name": "Mine", "val_bpb": None}
    assert merged(new, old, PATH) == new


def test_a_value_of_ours_that_somebody_changed_is_refused_unless_forced():
    old = written(OURS) | {"val_bpb": Decimal("1.05")}
    with pytest.raises(ComposeError) as caught:
        merged(OURS, old, PATH)
    assert str(caught.value) == (
        "submission.json: val_bpb is 1.05 here and 1.08000 by the recipe and the logs; somebody "
        "has changed the file since it was written: mend the recipe, or give --force to write it "
        "anew"
    )
    assert merged(OURS, old, PATH, force=True) == OURS


def test_a_file_that_was_not_written_here_is_left_alone_unless_forced():
    old = {"val_bpb": Decimal("1.05"), "gpu": "mine"}
    with pytest.raises(ComposeError, match="was not written by pgolf-compose and stays as it is"):
        merged(OURS, old, PATH)
    assert merged(OURS, old, PATH, force=True) == {**OURS, "gpu": "mine"}


@pytest.mark.parametrize("built", [None, [], "x", {"keys": 1}, {"keys": [1]}, {"sha256": []}])
def test_a_broken_record_of_ours_is_no_record(built):
    with pytest.raises(ComposeError, match="was not written by pgolf-compose"):
        merged(OURS, {"built_with": built}, PATH)


@pytest.mark.parametrize(
    "content, told",
    [
        (b'{"a": 1,\n}', "submission.json:2: is no JSON to keep keys of: "),
        (b"[1]", "submission.json: is no JSON to keep keys of: it holds no keys; mend it"),
        (b'{"a": NaN}', "submission.json: is no JSON to keep keys of: NaN is no number of JSON"),
        (b'{"a": 1, "a": 2}', "submission.json: is no JSON to keep keys of: a stands there twice"),
        (b"[" * 10_000, "submission.json: is no JSON to keep keys of: it is nested too deeply"),
        (
            b'{"a":' + b"[" * 60 + b"]" * 60 + b"}",
            "submission.json: is no JSON to keep keys of: it is nested too deeply",
        ),
        (b'{"a": ' + b"1" * 5000 + b"}", "submission.json: is no JSON to keep keys of: Exceeds"),
        (b"\xff\xfe", "submission.json: is not UTF-8; save it so, or move it away"),
        (b" " * 4_000_001, "submission.json: is no text: it has more than 4,000,000 bytes"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path, monkeypatch, content, told):
    monkeypatch.chdir(tmp_path)
    PATH.write_bytes(content)
    with pytest.raises(ComposeError) as caught:
        read_about(PATH)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_what_a_person_added_may_not_break_the_schema():
    good = {"name": "a", "date": "2026-04-05", "track": "t", "bytes_code": 1}
    assert json.loads(checked({**good, "gpu": [1]}, PATH)) == {**good, "gpu": [1]}
    with pytest.raises(ComposeError) as caught:
        checked({**good, "hardware": ["a"]}, PATH)
    assert str(caught.value) == (
        "submission.json: hardware: input should be a valid string; mend that value"
    )


def test_the_schema_that_is_shipped_is_the_model_s():
    path = ROOT / "pgolf_compose" / "submission" / "submission.schema.json"
    assert (
        json.loads(path.read_text()) == about_schema()
    ), f"python -m pgolf_compose show --schema submission > {path}"


def test_the_schema_says_what_each_key_is(cli):
    schema = json.loads(cli("show", "--schema", "submission").stdout)
    assert schema["properties"]["bytes_code"]["description"] == "the script as shipped"
    assert schema["required"] == ["name", "date", "track", "bytes_code"]


def test_another_s_reading_of_the_schema_is_ours():
    jsonschema = pytest.importorskip("jsonschema")
    schema = about_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    holds = jsonschema.Draft202012Validator(schema).is_valid
    good = {"name": "a", "date": "2026-04-05", "track": "t", "bytes_code": 1}
    assert holds(good) and holds({**good, "gpu": [1], "val_bpb": None})
    assert not any(
        map(holds, [{**good, "date": "soon"}, {**good, "bytes_code": -1}, {"name": "a"}])
    )


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real folders in ../shared are not here")
def test_ours_are_the_community_s_keys():
    found = [json.loads(path.read_text()) for path in SHARED.glob("records/*/*/submission.json")]
    seen = {key for one in found for key in one}
    assert set(About.model_fields) - seen == {"pr", "status", "built_with"} - seen
