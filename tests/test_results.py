"""What `results` shows, and folders whose submission.json their logs give, or why they do not."""

import json
import os
import re
from decimal import Decimal

import pytest
from conftest import ROOT
from test_logs import HEADER, OOM, TRAINED, TRAINING, WHOLE

from pgolf_compose.errors import ComposeError
from pgolf_compose.folders import agreement, differences, read_folder
from pgolf_compose.json_file import read_json
from pgolf_compose.results import gather


def of_seed(seed: int, val_bpb: str, after: str = "") -> str:
    """A whole log of a seed; its script's size and its time are its own too."""
    text = WHOLE.replace("seed:42", f"seed:{seed}").replace("1.22436570", val_bpb)
    text = text.replace("val_bpb:1.2244", f"val_bpb:{Decimal(val_bpb):.4f}")
    return text.replace("600038ms", f"{600000 + seed}ms") + after


THREE = {
    "train_seed1.log": of_seed(1, "1.10000000"),
    "train_seed2.log": of_seed(2, "1.10004000"),
    "train_seed3.log": of_seed(3, "1.10009000"),
}
LATER = "quantized_ttt val_loss:2.5 val_bpb:1.30000000 eval_time:1ms\n"


def folder(tree, about: dict | str | None, logs: dict | None = None):
    files = dict(THREE if logs is None else logs)
    if about is not None:
        files["submission.json"] = about if isinstance(about, str) else json.dumps(about, indent=1)
    return read_folder(tree({"record": files}) / "record")


SEEDS = {"seeds": [1, 2, 3]}
AGREEMENTS = [
    # what the json says, the logs, whether they agree, how it is found, a part of the report
    ({"val_bpb": 1.1}, {"train.log": THREE["train_seed1.log"]}, True, "log", "line 19"),
    ({"val_bpb": 1.10004333} | SEEDS, None, True, "seeds", "seeds 1, 2 and 3"),
    ({"mean_val_bpb": 1.10004}, None, True, "logs", "the mean 1.10004333 of 3 logs"),
    ({"val_bpb": 1.10009, "seed": 3}, None, True, "seed", "not counted: train_seed1.log"),
    ({"val_bpb": 1.10002, "seeds": [1, 2]}, None, True, "seeds", "not counted: train_seed3.log"),
    (
        '{"val_bpb": 1.10000, "ablation_val_bpb": 1.10004, "wider": {"val_bpb": 1.10009}}',
        None,
        True,
        "log",
        "not counted: train_seed2.log and train_seed3.log",
    ),
    ({"val_bpb": 1.10000000}, None, True, "logs", "1.10004333"),
    ({"val_bpb": 1.10009}, None, False, "one of several", "one of 3 runs: 1.10009000"),
    (
        {"val_bpb": 1.10000001},
        {"a.log": of_seed(1, "1.10000001"), "b.log": of_seed(2, "1.2")},
        False,
        "one of several",
        "the best of 2 runs: 1.10000001 of a.log (seed 1)",
    ),
    (
        {"val_bpb": 1.2172},
        {"train.log": WHOLE},
        False,
        "another score",
        "training's last validation at line 10",
    ),
    (
        {"val_bpb": 1.2243657},
        {"train.log": WHOLE + LATER},
        False,
        "another score",
        "what counts is quantized_ttt 1.30000000 at line 20",
    ),
    (
        {"val_bpb": 1.10004333} | SEEDS,
        THREE | {"train_seed2.log": THREE["train_seed2.log"] + LATER},
        False,
        "other scores",
        "at line 19 of train_seed2.log (1.10004000) where quantized_ttt 1.30000000 comes later",
    ),
    (
        {"val_bpb": 1.10005} | SEEDS,
        THREE | {"train_seed2.log": of_seed(2, "1.10004500")},
        True,
        "seeds",
        "1.10004500",
    ),
    (
        {"val_bpb": 1.011} | SEEDS,
        {f"seed{n}.log": of_seed(n, v) for n, v in ((1, "1.0006"), (2, "1.0056"), (3, "1.0252"))},
        False,
        "rounded",
        "the logs give 1.010; the json's 1.011 is the mean of values rounded before",
    ),
    ({"val_bpb": 1.100065}, None, False, "some", "without train_seed1.log"),
    (
        {"val_bpb": 1.23456, "seeds": [1, 2, 7]},
        None,
        False,
        "seed missing",
        "no log of seed 7, which the json names",
    ),
    (
        {"val_bpb": 1.15, "seed_results": {"1": {"val_bpb": 1.1}, "2": {"val_bpb": 1.2}}},
        {"train_seed1.log": THREE["train_seed1.log"], "train_seed2.log": THREE["train_seed2.log"]},
        False,
        "own mean",
        "for seed 2 the json says 1.2, train_seed2.log 1.10004000",
    ),
    (
        {"val_bpb": 1.3, "bytes_total": 15000000},
        None,
        False,
        "differs",
        "the json's artifact has 15,000,000 bytes",
    ),
    (
        {"val_bpb": 1.10048},
        {"train.log": of_seed(1, "1.1005")},
        False,
        "more digits",
        "1.10048 has more digits than train.log prints: 1.1005",
    ),
    (
        {"val_bpb": 1.1},
        {"train.log": of_seed(1, "1.1") + "Killed\n"},
        True,
        "log",
        "train.log is not whole: failed after final_int8_zlib_roundtrip",
    ),
    ({"val_bpb": 1.1}, {}, False, "no log", "no log in this folder"),
    ({"name": "x"}, None, False, "no claim", "states no val_bpb"),
    (
        {"val_bpb": 1.2172},
        {"train.log": HEADER + TRAINING + TRAINED},
        False,
        "no score",
        "training's last validation at line 10 of train.log; training ended",
    ),
    ({"val_bpb": 1.1}, {"train.log": HEADER + TRAINING}, False, "no score", "step 8,120"),
]


@pytest.mark.parametrize(("about", "logs", "equal", "kind", "part"), AGREEMENTS)
def test_a_json_agrees_with_its_logs_or_it_is_said_why_not(tree, about, logs, equal, kind, part):
    found = agreement(folder(tree, about, logs))
    assert (found.equal, found.kind) == (equal, kind), found.text
    assert part in found.text


def test_a_seeds_own_value_that_its_log_does_not_give_is_told(tree):
    about = {"val_bpb": 1.10004, "seed_results": {"1": {"val_bpb": 1.1001}, "2": 1.10004, "3": {}}}
    found = agreement(folder(tree, about))
    assert found.equal
    assert "for seed 1 the json says 1.1001, train_seed1.log 1.10000000" in found.text
    assert [(row.seed, row.equal) for row in found.seeds] == [(1, False), (2, True)]


def test_figures_of_a_seed_that_its_log_gives_otherwise_are_told(tree):
    about = {
        "seed_results": {
            "1": {
                "val_bpb": 1.1,
                "artifact_bytes": 15863489,
                "steps": 13780,
                "train_time_s": 600.0,
            },
            "2": {"val_bpb": 1.2, "artifact_bytes": 15863488, "eval_time_s": 5},
            "7": {"val_bpb": 1.3},
        }
    }
    found = [(d.claim.key, d.value) for d in differences(folder(tree, about))]
    assert found == [
        ("seed_results.2.val_bpb", Decimal("1.10004000")),
        ("seed_results.2.artifact_bytes", 15863489),
    ]


def test_of_two_logs_of_a_seed_the_one_that_the_json_states_counts(tree):
    about = {"val_bpb": 1.1, "seeds": [1], "seed_results": {"1": {"val_bpb": 1.1}}}
    logs = {"train_seed1_a.log": of_seed(1, "1.10000000"), "train_seed1_b.log": of_seed(1, "1.15")}
    found = agreement(folder(tree, about, logs))
    assert found.equal
    assert found.text.endswith("not counted: train_seed1_b.log")


def test_a_copy_of_a_log_counts_once(tree):
    logs = {"train.log": THREE["train_seed1.log"], "train_seed1.log": THREE["train_seed1.log"]}
    assert agreement(folder(tree, {"val_bpb": 1.1}, logs)).kind == "log"


@pytest.mark.parametrize(
    "about",
    [
        {"seed_results": {"42": {"val_bpb": 1.1, "artifact_bytes": 5}}},
        {"seeds": {"42": {"val_bpb": 1.1, "bytes_total": 5}}},
        {"seed_results": [{"seed": 42, "val_bpb": 1.1, "total_bytes": 5}]},
        {"per_seed": {"seed_42": {"val_bpb": 1.1, "bytes_total": 5}}},
        {"seeds": [42], "seed_scores": [1.1]},
    ],
)
def test_seeds_are_read_in_every_spelling(tree, about):
    found = folder(tree, about, {})
    assert found.named_seeds == (42,)
    assert found.seeds[42]["val_bpb"].value == Decimal("1.1")
    assert found.seeds[42].get("bytes_total", found.claims[-1]).text in ("5", "1.1")


def test_claims_keep_their_text_and_line(tree):
    found = folder(tree, '{\n "val_bpb": 1.2100,\n "seed_results": {"42":\n {"steps": 1e3}}\n}', {})
    assert [(c.key, c.text, c.line, c.digits) for c in found.claims] == [
        ("val_bpb", "1.2100", 2, 4),
        ("seed_results.42.steps", "1e3", 4, 0),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1]", "is a list, not an object"),
        ("3", "is a single value, not an object"),
        ("", "1: is no JSON: is empty"),
        ('{"a": 1,\n}', "2: is no JSON: } stands where a key in quotes should"),
        ('{"a": 1\n"b": 2}', '2: is no JSON: "b" stands where a comma should'),
        ('{"a": 01}', "01 is no number"),
        ('{"a": 1} x', "goes on after its end"),
        ("{'a': 1}", '"\'" stands where a value or a mark should'),
        ("[" * 10_000, "is nested deeper than 64"),
        ('{"a":' * 10_000, "is nested deeper than 64"),
        ('{"a": nope}', "nope stands where a value should"),
    ],
)
def test_what_is_no_json_object_is_refused_with_its_line(tree, text, problem):
    with pytest.raises(ComposeError, match=re.escape(problem)):
        folder(tree, text, {})


def test_oddities_are_told_with_their_line(tree):
    found = folder(tree, '{"val_bpb": "1.1",\n "x": NaN, "y": 1,\n "y": 2, "z": 1e999}', {})
    assert [(odd.line, odd.text) for odd in found.oddities] == [
        (2, "x is NaN, which JSON has no number for"),
        (3, "y is given twice; the last counts"),
        (3, "z is 1e999…, no number of a run"),
        (1, "val_bpb is no number"),
    ]
    assert [(c.key, c.text) for c in found.claims] == [("y", "2")]


def test_a_json_that_is_a_folder_or_no_text_is_refused(tree, tmp_path):
    tree({"a": {"submission.json": {}}, "b": {"submission.json": b"\xff\xfe\x00"}})
    with pytest.raises(ComposeError, match="Is a directory"):
        read_folder(tmp_path / "a")
    with pytest.raises(ComposeError, match="is not UTF-8"):
        read_folder(tmp_path / "b")


def test_numbers_are_read_as_json_does(tmp_path):
    text = '{"a": [1, -2.5e-3, true, null, "\\u00e9 \\" }"], "b": {}, "c": []}'
    (tmp_path / "x.json").write_text(text)
    assert read_json(tmp_path / "x.json").data == json.loads(text)


# -- the command --------------------------------------------------------------------------------

ABOUT = {"submission.json": '{"val_bpb": 1.10004, "seeds": [1, 2, 3]}'}


def test_a_folder_is_shown_as_a_table_with_mean_and_agreement(cli, tree):
    tree({"record": THREE | ABOUT})
    result = cli("results", "record")
    header, *rows, mean, agrees = result.stdout.splitlines()
    assert result.exit_code == 0
    columns = "log seed metric val_bpb val_loss steps train s model code total status"
    assert " ".join(header.split()) == columns
    assert rows[0].split() == [
        "train_seed1.log",
        "1",
        "final_int8_zlib_roundtrip_exact",
        "1.10000000",
        "2.07269931",
        "13,780",
        "600.0",
        "15,815,847",
        "47,642",
        "15,863,489",
        "complete",
    ]
    assert mean == ("mean of 3 runs: val_bpb 1.100043, sample standard deviation 0.000045")
    assert agrees == (
        "submission.json agrees: 1.10004 is the mean 1.10004333 of 3 logs (seeds 1, 2 and 3)"
    )


def test_json_has_every_log_with_all_scores(cli, tree):
    tree({"record": THREE | ABOUT, "other.log": HEADER + TRAINING + OOM})
    result = cli("results", "--json", "record", "other.log")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    crashed, first, *_ = found["logs"]
    assert {
        key: first[key]
        for key in (
            "val_bpb",
            "val_loss",
            "metric",
            "steps",
            "train_ms",
            "bytes_model",
            "bytes_code",
            "bytes_total",
            "complete",
            "reason",
            "seed",
            "path",
        )
    } == {
        "val_bpb": 1.1,
        "val_loss": 2.07269931,
        "metric": "final_int8_zlib_roundtrip_exact",
        "steps": 13780,
        "train_ms": 600001,
        "bytes_model": 15815847,
        "bytes_code": 47642,
        "bytes_total": 15863489,
        "complete": True,
        "reason": "",
        "seed": 1,
        "path": "record/train_seed1.log",
    }
    assert [s["name"] for s in first["scores"] if s["final"]] == [
        "final_int8_zlib_roundtrip",
        "final_int8_zlib_roundtrip_exact",
    ]
    assert (crashed["complete"], crashed["val_bpb"], crashed["metric"]) == (False, None, None)
    assert "out of GPU memory" in crashed["reason"]
    (record,) = found["folders"]
    assert (record["agrees"], record["kind"], record["states"]) == (True, "seeds", 1.10004)
    assert record["std"] == pytest.approx(0.0000450925)


def test_a_log_that_is_not_whole_gives_exit_code_1(cli, tree):
    tree({"train.log": HEADER + TRAINING})
    result = cli("results", "train.log")
    assert result.exit_code == 1
    assert "ends at step 8,120 of 20,000 (41%), no final score" in result.stdout


def test_what_a_reader_should_know_is_told(cli, tree):
    logs = {
        "a.log": of_seed(1, "1.10000000") + LATER,
        "b.log": of_seed(1, "1.2").replace("47642", "47000").replace("15863489", "15862847"),
    }
    tree(logs)
    told = cli("results", "a.log", "b.log").stdout
    assert (
        "note: a.log: quantized_ttt 1.30000000 counts, as it was printed last; "
        "final_int8_zlib_roundtrip_exact 1.10000000 at line 19 was better" in told
    )
    assert "note: several runs of seed 1" in told
    assert "note: runs end with different evaluations: quantized_ttt, final_int8_zlib" in told
    assert "note: the runs' scripts differ: 47,642 and 47,000 bytes" in told


def test_a_table_that_is_wider_than_the_terminal_becomes_blocks(cli, tree, monkeypatch):
    tree({"record": THREE | ABOUT})
    monkeypatch.setenv("COLUMNS", "60")
    told = cli("results", "record").stdout.splitlines()
    assert told[:5] == [
        "train_seed1.log: complete",
        "  seed 1  final_int8_zlib_roundtrip_exact",
        "  val_bpb 1.10000000  val_loss 2.07269931",
        "  steps 13,780  train s 600.0",
        "  model 15,815,847  code 47,642  total 15,863,489",
    ]
    assert max(map(len, told)) <= 60
    monkeypatch.setenv("COLUMNS", "140")
    assert cli("results", "record").stdout.startswith("log ")


def test_folders_of_folders_are_read_one_by_one(cli, tree):
    tree({"records": {"one": THREE | ABOUT, "two": {"train.log": WHOLE, "submission.json": "{}"}}})
    told = cli("results", "records").stdout
    assert told.count("log  ") >= 2
    assert "records/one:" in told and "records/two:" in told


def test_logs_are_named_by_the_shortest_ends_that_tell_them_apart(cli, tree):
    tree({"a": {"x": {"train.log": WHOLE}}, "b": {"x": {"train.log": WHOLE}}, "c.log": WHOLE})
    rows = cli("results", "a/x/train.log", "b/x/train.log", "c.log").stdout.splitlines()
    assert [row.split()[0] for row in rows[1:4]] == ["a/x/train.log", "b/x/train.log", "c.log"]


def test_logs_stand_in_the_order_of_their_seeds(cli, tree):
    tree({"r": {f"train_seed{seed}.log": of_seed(seed, "1.1") for seed in (1337, 42, 7)}})
    rows = cli("results", "r").stdout.splitlines()[1:4]
    assert [row.split()[1] for row in rows] == ["7", "42", "1337"]


def test_what_is_given_twice_is_read_once(cli, tree):
    tree({"train.log": WHOLE})
    result = cli("results", "train.log", "./train.log")
    assert result.stdout.count("complete") == 1
    assert result.stderr == "train.log: given twice, read once\n"


@pytest.mark.parametrize(
    ("files", "path", "problem"),
    [
        ({}, "none.log", "none.log: no such file or folder\n"),
        ({}, "x*.log", "x*.log: matches no file\n"),
        ({"submission.json": "{}"}, "submission.json", "is JSON, not a log; give its folder"),
        ({"empty": {}}, "empty", "empty: no training log in this folder\n"),
        ({"m.pt": b"PK\x03\x04" + bytes(50)}, "m.pt", "m.pt: is a zip or .pt file, not a log\n"),
        ({"j.log": bytes(range(256)) * 9}, "j.log", "j.log: is binary, not a log\n"),
        ({"r": {"submission.json": "[]"}}, "r", "r/submission.json: is a list, not an object with"),
    ],
)
def test_a_users_mistake_is_one_line(refuses, tree, files, path, problem):
    tree(files)
    assert problem in refuses("results", path)


def test_an_unreadable_folder_or_file_is_one_line(refuses, tree, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    tree({"closed": {"train.log": WHOLE}, "train.log": WHOLE})
    (tmp_path / "closed").chmod(0)
    (tmp_path / "train.log").chmod(0)
    try:
        assert "Permission denied" in refuses("results", "closed")
        assert "Permission denied" in refuses("results", "train.log")
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_binary_file_among_a_folders_logs_is_told_and_the_rest_read(cli, tree):
    tree({"record": {"train.log": WHOLE, "junk.log": bytes(range(256)) * 9}})
    result = cli("results", "record")
    assert result.stderr == "record/junk.log: is binary, not a log\n"
    assert "1.22436570" in result.stdout


def test_the_help_states_the_rule(cli):
    told = cli("results", "--help").stdout
    assert "the last evaluation of the compressed artifact" in told
    assert "Exit code 1" in told


def test_a_folder_and_its_log_are_not_shown_twice(tree, tmp_path):
    tree({"record": THREE})
    groups, _ = gather([tmp_path / "record/train_seed1.log", tmp_path / "record"])
    assert sorted(log.path.name for group in groups for log in group.logs) == sorted(THREE)


# -- the public folders -------------------------------------------------------------------------


def test_every_public_folder_agrees_or_it_is_said_why_not(shared):
    lines = (ROOT / "tests/published/folders.tsv").read_text(encoding="utf-8").splitlines()
    expected = [line.split("\t") for line in lines[1:]]
    found = []
    for name, *_ in expected:
        read = read_folder(shared / "records" / name)
        one = agreement(read)
        stated = read.val_bpb.text if read.val_bpb else "-"
        found.append([name, stated, ("= " if one.equal else "≠ ") + one.kind, one.text])
        assert read.oddities == () and read.unread == ()
    assert found == expected
    there = {path.relative_to(shared / "records").as_posix() for path in shared.glob("records/*/*")}
    assert {name for name, *_ in expected} == there


def test_figures_of_public_seeds_that_their_logs_give_otherwise(shared):
    found = [
        (one.claim.key, one.claim.text, f"{one.value.normalize():f}")
        for folder in sorted(shared.glob("records/*/*"))
        for one in differences(read_folder(folder))
        if "val_" not in one.claim.key and "ms" not in one.claim.key
    ]
    assert found == [
        ("seed_results.42.steps", "10710", "10695"),
        ("seed_results.7.steps", "10498", "10491"),
        ("seed_results.1337.artifact_bytes", "15976275", "16054963"),
        ("seed_results.42.artifact_bytes", "15978439", "16058494"),
        ("seed_results.42.steps", "5180", "5178"),
        ("seed_results.3141.artifact_bytes", "15979649", "16059704"),
        ("seed_results.314.artifact_bytes", "15991486", "15990916"),
        ("seed_results.999.artifact_bytes", "15991486", "15989602"),
        ("seed_results.1337.artifact_bytes", "15910554", "15939048"),
    ]


def test_the_public_values_that_differ_are_those_of_the_catalogs(shared):
    """A second look at the table: what each folder's own json claims, computed by hand here."""
    found = read_folder(
        shared / "records/track_10min_16mb/2026-04-05_SP8192_GPTQ-Embeddings_SDClip_Loop45x2"
    )
    values = [Decimal(log.score.text) for log in found.logs]
    assert sum(values) / 5 == Decimal("1.085624802")
    assert sum(c["val_bpb"].value for c in found.seeds.values()) / 5 == Decimal("1.085626")
