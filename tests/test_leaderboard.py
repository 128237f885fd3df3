import json
from pathlib import Path

import pytest
from conftest import SHARED

from pgolf_compose import ComposeError
from pgolf_compose.leaderboard import (
    best_before,
    find_entry,
    read_leaderboard,
    read_policies,
)
from pgolf_compose.plugins import load_library
from pgolf_compose.statistics import Summary

TRACK = load_library().tracks["10min_16mb"]
ROWS = read_leaderboard(TRACK.leaderboard)


@pytest.mark.parametrize("word", ["pr1493", "1493", "#1493", "PR1493", "2026-04-09_SP8192_3Layer"])
def test_a_row_is_found_by_its_number_or_its_folder_s_beginning(word):
    row = find_entry(ROWS, word, TRACK)
    assert row.folder == "2026-04-09_SP8192_3LayerRecur_ParResid_QK525_LegalTTT"
    assert (row.pr, row.date, row.val_bpb, row.std) == (1493, "2026-04-09", 1.081, 0.0002)
    assert row.seeds == (1.08103103, 1.08079352, 1.08118408)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("pr9", "pr9 is no row of the leaderboard, and no log or folder. `pgolf-compose list"),
        ("2026-04-09_A3_Muon", "Did you mean 2026-04-09_A2_Muon097_3Seed?"),
        (
            "2026-04-09_",
            "2026-04-09_ could be 2026-04-09_A2_Muon097_3Seed or 2026-04-09_SP8192_3Lay",
        ),
        (
            "65",
            "65 could be 2026-03-19_MixedQuant_Int6Int8_SlidingWindow, 2026-03-19_int6_STE_QAT_",
        ),
        ("", " is no row of the leaderboard"),
    ],
)
def test_what_names_no_row_or_several_is_told(word, message):
    with pytest.raises(ComposeError) as caught:
        find_entry(ROWS, word, TRACK)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("date", "best"),
    [
        ("2026-03-18", None),  # the baseline is of that day
        ("2026-03-20", "2026-03-19_smeargate_orthoinit_muonwd"),
        ("2026-04-09", "2026-04-08_SP8192_ParallelResid_ScoreFirstTTT"),
        ("2026-04-14", "2026-04-13_VarLenAttn_PhasingTTT2000"),
        ("2026-04-29", "2026-04-27_SP8192_LQER_SparseGate_BOSSmearFix_9HpStack_1.0611"),
    ],
)
def test_who_was_best_before_a_day(date, best):
    found = best_before(ROWS, date)
    assert (found.folder if found else None) == best


def test_a_row_that_is_no_record_is_never_the_best():
    [row] = [row for row in ROWS if row.pr == 1412]
    assert row.left_out and best_before([row], "2027-01-01") is None


def test_what_is_compared_is_the_mean_of_the_runs_and_not_the_best_that_was_claimed():
    row = find_entry(ROWS, "pr287", TRACK)
    assert row.val_bpb == 1.12707468
    assert (round(row.summary.mean, 5), round(row.summary.std, 5)) == (1.12802, 0.00083)


def test_a_row_of_which_no_run_is_known_stands_for_what_it_published():
    assert find_entry(ROWS, "pr86", TRACK).summary == Summary(1.15015359, 0.00043, 3)
    assert find_entry(ROWS, "pr1529", TRACK).summary == Summary(1.07578747, None, 1)
    assert find_entry(ROWS, "pr1851", TRACK).summary == Summary(1.06128183, None, 1)


def test_rows_are_in_order_and_each_names_its_source():
    assert [row.date for row in ROWS] == sorted(row.date for row in ROWS)
    assert all(row.source and (row.folder or row.pr) for row in ROWS)
    folders = [row.folder for row in ROWS if row.folder]
    assert len(folders) == len(set(folders)) == 45


def test_published_deviations_that_were_taken_by_n_are_not_what_is_compared():
    small = {row.pr for row in ROWS if row.std and row.seeds and row.std < 0.9 * row.summary.std}
    assert small == {180, 1610, 1626, 1729, 1855}
    row = find_entry(ROWS, "pr1855", TRACK)
    assert (row.std, round(row.summary.std, 5)) == (0.0009, 0.00111)
    assert round(row.summary.std * (2 / 3) ** 0.5, 4) == 0.0009


@pytest.mark.skipif(
    not SHARED.exists(), reason="needs the records, in ../shared beside the checkout"
)
def test_every_record_s_folder_has_a_row_that_claims_what_its_json_claims():
    home = SHARED / "records" / "track_10min_16mb"
    by_folder = {row.folder: row for row in ROWS if row.folder}
    assert sorted(by_folder) == sorted(path.name for path in home.iterdir())
    for name, row in by_folder.items():
        path = home / name / "submission.json"
        about = json.loads(path.read_text()) if path.exists() else {}
        claim = about.get("val_bpb", about.get("mean_val_bpb"))
        assert claim in (row.val_bpb, None), name
        if isinstance(results := about.get("seed_results"), dict):
            told = sorted(round(one["val_bpb"], 5) for one in results.values())
            assert sorted(row.seeds) == pytest.approx(told, abs=1e-5), name


def test_the_policies_in_the_order_of_their_days():
    policies = read_policies(TRACK.policies)
    assert list(policies) == ["readme-2026-03", "maintainers-2026-04"]
    readme, maintainers = policies.values()
    assert (readme.min_difference, readme.unit, readme.p) == (0.005, "nats_per_token", 0.01)
    assert (maintainers.min_difference, maintainers.p, maintainers.chronological) == (0, 0.25, True)
    assert all(one.source and one.summary and one.since for one in policies.values())


GOOD = "- {date: 2026-01-01, name: a, val_bpb: 1.5, source: a log}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n", "rows.yaml:1:1: a leaderboard is a list of rows"),
        ("- 3\n", "rows.yaml:1:3: wants `key: value` lines"),
        (GOOD.replace("name", "nam"), "rows.yaml:1:22: nam is no key of this. Did you mean name?"),
        (GOOD.replace("name: a, ", ""), "rows.yaml:1:3: name is missing"),
        (GOOD.replace("1.5", "low"), "rows.yaml:1:40: val_bpb wants a number"),
        (
            GOOD.replace("1.5", "1e999"),
            "rows.yaml:1:40: val_bpb wants input should be a finite number",
        ),
        (GOOD.replace("-01-01", ""), "rows.yaml:1:10: date wants a text"),
        (
            GOOD.replace("-01-01", "-13-01"),
            "rows.yaml:1:10: 2026-13-01 is no date; write it like 2026",
        ),
    ],
)
def test_a_row_that_is_wrong_is_told_by_its_place(tree, text, message):
    tree({"rows.yaml": text})
    with pytest.raises(ComposeError) as caught:
        read_leaderboard(Path("rows.yaml"))
    assert str(caught.value).startswith(message)


def test_a_policy_is_a_file(tree):
    tree({"mine": {"strict.yaml": "summary: s\nsince: 2026-05-01\nsource: me\np: 0.001\n"}})
    [policy] = read_policies(Path("mine")).values()
    assert (policy.name, policy.p, policy.min_difference) == ("strict", 0.001, 0)
    for line, told in (
        ("unit: metres", "4:7: unit wants input should be 'bpb', 'nats"),
        ("p: 25", "4:4: p wants input should be less than 1"),
        ("min_seeds: 0", "4:12: min_seeds wants input should be greater than or equal to 1"),
    ):
        tree({"mine": {"bad.yaml": f"summary: s\nsince: 2026-05-01\nsource: me\n{line}\n"}})
        with pytest.raises(ComposeError) as caught:
            read_policies(Path("mine"))
        assert str(caught.value).startswith(f"mine/bad.yaml:{told}")


def test_a_track_names_what_lies_beside_it(tree):
    from pgolf_compose.tracks import read_tracks

    tree({"a.yaml": "summary: s\nleaderboard: nowhere\n"})
    with pytest.raises(ComposeError, match=r"a.yaml:2:14: there is no nowhere.yaml there"):
        read_tracks(Path())
