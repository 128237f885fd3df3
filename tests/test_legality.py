"""What breaks a rule is refused for a record track, and says so wherever it is allowed."""

import ast
import json

import pytest
from conftest import ROOT, run_script

from pgolf_compose.plugins import load_library

TOLD = "not compliant with 10min_16mb: val_pretrain_ttt breaks rule C3 and rule 1"


@pytest.mark.parametrize("command", [[], ["run"], ["submit"]])
def test_a_record_track_refuses_what_breaks_its_rules(command, refuses, tree):
    folder = tree({"x.yaml": "extends: baseline\ntechniques:\n  val_pretrain_ttt:\n"})
    assert refuses(*command, "x.yaml") == (
        "x.yaml:3:3: val_pretrain_ttt breaks rule C3 of 10min_16mb, 'a token is scored before "
        "anything learns from it': every target has been trained on before it is scored; leave it "
        "out, or give --allow-noncompliant for a script that says so and is no submission\n"
    )
    assert [path.name for path in folder.iterdir()] == ["x.yaml"]


def test_what_is_allowed_all_the_same_says_so_everywhere(cli, tree, short):
    folder = tree({})
    done = cli("baseline", "--with", "val_pretrain_ttt", "--allow-noncompliant")
    assert f"rules                            {TOLD}" in done.stdout
    packed = (folder / "out/baseline/train_gpt.py").read_text()
    assert packed.splitlines()[1] == f"# {TOLD}"
    readable = (folder / "out/baseline/train_gpt_human.py").read_text()
    assert f"NO SUBMISSION: {TOLD}." in ast.get_docstring(ast.parse(readable))
    ran = run_script(packed, folder / "run", DATA_DIR=str(short), ITERATIONS="1", TTT_EPOCHS="1")
    assert f"NO SUBMISSION: {TOLD}." in ran.stdout.splitlines()
    submitted = cli(
        "submit", "baseline", "--with", "val_pretrain_ttt", "--allow-noncompliant", "-o", "pr"
    )
    assert submitted.exit_code == 0
    [readme] = (folder / "pr").rglob("README.md")
    assert TOLD in readme.read_text()


def test_another_track_composes_it_and_says_so(cli, tree):
    tree({"x.yaml": "track: non_record_16mb\ntechniques:\n  val_pretrain_ttt:\n"})
    assert "not compliant with non_record_16mb: val_pretrain_ttt breaks" in cli("x.yaml").stdout


def test_list_and_show_tell_the_rules(cli):
    rules = {row["name"]: row["rules"] for row in json.loads(cli("list", "--json").stdout)}
    assert rules["val_pretrain_ttt"] == "breaks C3 and 1"
    assert rules["score_first_ttt"] == "keeps C3, C4 and 1"
    shown = cli("show", "val_pretrain_ttt").stdout
    assert "10min_16mb refuses it, non_record_16mb says so" in shown
    assert TOLD in cli("show", "baseline", "--with", "val_pretrain_ttt").stdout
    assert cli("diff", "baseline", "baseline", "--with", "val_pretrain_ttt").exit_code == 1


def test_every_rule_that_a_technique_names_is_a_rule_of_some_track():
    library = load_library()
    known = {rule for track in library.tracks.values() for rule in track.rules}
    for one in library.techniques.values():
        assert {*one.breaks, *one.keeps} <= known, one.name


def test_the_header_of_a_legal_script_tells_its_track(baseline):
    told = "Track 10min_16mb: no technique declares to break one of its rules."
    assert told in ast.get_docstring(baseline.script.tree)


def test_the_rules_are_told_from_where_they_stand():
    text = (ROOT / "pgolf_compose/tracks/rules/parameter_golf.yaml").read_text()
    assert all("#" in line for line in text.splitlines())  # each with its source
