"""Bytes of the small file by technique and section: they add up, and they follow the code."""

import json

import pytest

import pgolf_compose
from pgolf_compose.account import LOADER, account, around, marginal, sections, shares


@pytest.fixture(scope="module")
def build():
    return pgolf_compose.compose("baseline", added=["xsa", "ema"])


@pytest.fixture(scope="module")
def rows(build):
    return account(build)


def test_both_tables_add_up_to_the_files(build, rows):
    for table in rows:
        assert sum(row.readable for row in table) == len(build.readable)
        assert sum(row.minified for row in table) == len(build.minified.encode())
        assert sum(row.packed for row in table) == len(build.packed)


def test_every_technique_has_a_share_and_the_host_the_largest(build, rows):
    found = {row.name: row for row in rows[0]}
    assert found.keys() == {"host", "recipe", "xsa", "ema", LOADER}
    assert rows[0][0].name == "host"
    for name in ("xsa", "ema"):
        assert 0 < found[name].packed < found[name].minified < found[name].readable
    assert 50 < found[LOADER].packed < 400 and found[LOADER].minified == 0


def test_sections_are_the_banners_of_the_script(build, rows):
    names = [row.name for row in rows[1]]
    assert names[:3] == ["(head)", "Hyperparameters", "Log"] and names[-1] == LOADER
    assert sections(["a", "# ----", "# Model", "# ----", "b"]) == ["(head)", *["Model"] * 4]


def test_the_loader_is_what_stands_around_the_largest_literal():
    assert around(b"import x\nx.run(b'" + 90 * b"a" + b"', 'b')\n") == 22


def test_shares_add_up():
    assert shares({"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.0}, 10) == {"a": 3, "b": 4, "c": 3, "d": 0}


def test_what_another_needs_cannot_be_left_out():
    build = pgolf_compose.compose("baseline", added=["sliding_window_eval", "score_first_ttt"])
    assert marginal(build, "sliding_window_eval", None) == "score_first_ttt needs it"


def test_the_command_shows_all_of_it(cli, baseline):
    lines = cli("show", "baseline", "--bytes").stdout.splitlines()
    assert lines[0].split() == ["technique", "readable", "minified", "packed"]
    [total] = {line.split()[-1] for line in lines if line.startswith("all ")}
    assert total == f"{len(baseline.packed):,}"
    assert lines[-1].startswith("model: not predicted: ")
    one = ("show", "baseline", "--with", "ema", "--bytes", "--marginal", "--json")
    found = json.loads(cli(*one).stdout)
    marginals = {row["name"]: row["marginal"] for row in found["techniques"]}
    assert marginals["ema"] == found["file"] - len(baseline.packed) > 0
    assert marginals["host"] is None


def test_two_recipes_are_compared_by_technique(tree, cli, baseline, refuses):
    result = cli("diff", "baseline", "baseline", "--with", "ema", "--bytes")
    [table] = [one for one in result.stdout.split("\n\n") if one.startswith("bytes ")]
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()[1:]}
    assert result.exit_code == 1 and rows["ema"][0] == "0" and rows["ema"][2].startswith("+")
    assert rows["all"][0] == f"{len(baseline.packed):,}"
    assert cli("diff", "baseline", "baseline", "--bytes", "--json").exit_code == 0
    tree({"x.py": "x = 1\n"})
    assert refuses("diff", "baseline", "x.py", "--bytes").startswith(
        "x.py: does not tell which technique wrote what: "
    )


def test_a_composed_folder_is_compared_by_technique(tree, cli, baseline):
    tree({})
    cli("baseline", "-o", "here")
    found = json.loads(cli("diff", "baseline", "here", "--bytes", "--json").stdout)
    assert found["same"] and sum(row["a"] for row in found["bytes"]) == len(baseline.packed)
    assert [row["a"] for row in found["bytes"]] == [row["b"] for row in found["bytes"]]


def test_forms_that_do_not_go_together_are_refused(cli):
    assert cli("show", "baseline", "--marginal").exit_code == 2
    assert cli("show", "baseline", "--bytes", "--lines").exit_code == 2
    assert cli("show", "ema", "--bytes").exit_code == 2
