"""Runs against rows and other runs: figures, verdicts, and what is said of runs that were chosen."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import SHARED

from pgolf_compose.cli import main
from pgolf_compose.comparison import compare, judge
from pgolf_compose.leaderboard import Policy
from pgolf_compose.logs import read_log
from pgolf_compose.samples import Sample, sample_of_logs
from pgolf_compose.statistics import Summary, summary


def log(seed: int, bpb: float, *, code: int = 17000, processes: int = 8, more: str = "") -> str:
    """A training log of the challenge, at a tokenizer of 3.727 bytes per token."""
    loss = bpb * 2.58319
    return f"""Hyperparameters:
  matrix_lr: 0.022
  run_id: run{seed}
  seed: {seed}
  world_size: {processes}
{more}train_shards: 80
model_params:35944536
1/20000 train_loss: 9.0093 train_time: 0.0m tok/s: 8000000
4500/20000 train_loss: 2.7 train_time: 9.8m tok/s: 6000000
stopping_early: wallclock_cap train_time: 588000ms step: 4550/20000
pre-quantization post-ema val_loss:{loss + 0.05:.8f} val_bpb:{bpb + 0.02:.8f} eval_time:7000ms
Serialized model: 135000000 bytes
Code size: {code} bytes
Serialized model quantized+brotli: 15970000 bytes
Total submission size quantized+brotli: {15970000 + code} bytes
quantized_ttt val_loss:{loss:.8f} val_bpb:{bpb:.8f} eval_time:370000ms
"""


def results(*args):
    return CliRunner().invoke(main, ["results", *map(str, args)])


def lines(result) -> list[str]:
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


THREE = {
    f"train_seed{seed}.log": log(seed, bpb) for seed, bpb in ((1, 1.079), (2, 1.0793), (3, 1.0788))
}


def test_three_logs_against_a_row_with_both_kinds_of_nats_and_every_verdict(tree):
    tree(THREE)
    assert lines(results(*THREE, "--against", "pr1493")) == [
        "ours                 train_seed1.log, train_seed2.log and train_seed3.log",
        "                     1.07900 (seed 1), 1.07930 (seed 2), 1.07880 (seed 3)",
        "                     mean 1.07903, std 0.00025, 3 runs; 95 % interval 1.07841 to 1.07966",
        "against              PR #1493 of 2026-04-09",
        "                     1.08103, 1.08079, 1.08118",
        "                     mean 1.08100, std 0.00020, 3 runs; 95 % interval 1.08051 to 1.08149",
        "difference           -0.00197 bpb, ours less theirs",
        "                     -0.00137 nats per byte",
        "                     -0.00509 nats per token",
        "Welch                t = -10.678, df = 3.78, p = 0.000292, one-sided",
        "readme-2026-03       met: 1.07903 is below 1.08100 by 0.00509 nats per token, 0.005 are asked; "
        "p = 0.00029 is below 0.01; read as nats per byte the difference is 0.00137, too little",
        "maintainers-2026-04  met: 1.07903 is below 1.08100; p = 0.00029 is below 0.25",
    ]


def test_json_holds_every_figure(tree):
    tree(THREE)
    found = json.loads(results(*THREE, "--against", "1493", "--json").stdout)
    assert found["ours"]["values"] == [1.079, 1.0793, 1.0788] and found["ours"]["seeds"] == [
        1,
        2,
        3,
    ]
    assert (found["theirs"]["name"], found["theirs"]["n"]) == ("PR #1493 of 2026-04-09", 3)
    difference = found["difference"]
    assert difference["nats_per_byte"] == pytest.approx(difference["bpb"] * math.log(2))
    assert difference["nats_per_token"] == pytest.approx(difference["bpb"] * 2.58319)
    assert difference["comparable"] is True
    assert found["test"].keys() == {"method", "t", "df", "p_less", "error"}
    assert [(one["policy"], one["met"]) for one in found["verdicts"]] == [
        ("readme-2026-03", True),
        ("maintainers-2026-04", True),
    ]
    assert [one["name"] for one in found["policies"]] == ["readme-2026-03", "maintainers-2026-04"]
    assert (found["track"], found["date"], found["warnings"]) == ("10min_16mb", None, [])


def test_one_policy_can_be_asked_for(tree):
    tree(THREE)
    told = lines(results(*THREE, "--against", "pr1493", "--policy", "maintainers-2026-04"))
    assert [line.split()[0] for line in told if "met" in line] == ["maintainers-2026-04"]


def test_by_date_the_rival_is_the_best_row_before_it(tree):
    tree(THREE)
    told = lines(results(*THREE, "--against", "pr1477", "--date", "2026-04-10"))
    assert [line[:74] for line in told if "against PR #" in line] == [
        "readme-2026-03       not met against PR #1523 of 2026-04-09: 1.07903 is no",
        "maintainers-2026-04  not met against PR #1523 of 2026-04-09: 1.07903 is no",
    ]
    assert "against              PR #1477 of 2026-04-08" in lines(
        results(*THREE, "--against", "best", "--date", "2026-04-09")
    )


def test_other_logs_and_folders_can_be_held_against(tree):
    tree({"a": THREE, "b": {f"train_seed{n}.log": log(n, 1.08 + n / 10000) for n in (1, 2)}})
    told = lines(results("a", "--against", "b"))
    assert told[0].split()[1:] == ["a"] and told[3].split()[1:] == ["b"]
    assert "                     1.08010 (seed 1), 1.08020 (seed 2)" in told
    one_by_one = lines(
        results("a", "--against", "b/train_seed1.log", "--against", "b/train_seed2.log")
    )
    assert one_by_one[6:] == told[6:]


def test_against_a_row_of_one_run_there_is_no_welch_test_and_no_verdict_on_chance(tree):
    tree(THREE)
    told = "\n".join(lines(results(*THREE, "--against", "pr1851"))[5:])
    assert "no spread is known, 1 run\n" in told
    assert (
        "tokenizers differ, 3.727 and 3.157 bytes per token, so losses per token cannot be" in told
    )
    assert "one-sample           t = " in told
    assert (
        "no Welch test is possible: PR #1851 of 2026-04-27 has one run; its value is taken" in told
    )
    tree({f"low{n}.log": log(n, 1.05 + n / 10000) for n in (1, 2, 3)})
    told = lines(results("low1.log", "low2.log", "low3.log", "--against", "pr1851"))
    assert [line.partition(": p = ")[0] for line in told[-2:]] == [
        "readme-2026-03       cannot be told: p < 0.01 is asked, and PR #1851 of 2026-04-27 has one run",
        "maintainers-2026-04  cannot be told: p < 0.25 is asked, and PR #1851 of 2026-04-27 has one run",
    ]


def test_one_run_of_ours_tells_no_chance(tree):
    tree(THREE)
    told = lines(results("train_seed1.log", "--against", "pr1493"))
    assert told[2] == "                     mean 1.07900, no spread is known, 1 run"
    assert (
        "test                 no test is possible: train_seed1.log is one run, which tells no spread"
        in told
    )
    assert told[-1] == "maintainers-2026-04  not met: 1 run, 2 are asked"


def about(**keys) -> str:
    return json.dumps({"val_bpb": 1.07903, "date": "2026-04-20", **keys}, indent=1)


RESULTS = {str(seed): {"val_bpb": bpb} for seed, bpb in ((1, 1.079), (2, 1.0793), (3, 1.0788))}


@pytest.mark.parametrize(
    ("files", "warning"),
    [
        (
            {"submission.json": about(seeds=[1, 2, 3, 4])},
            "submission.json names seed 4, of which no log counts",
        ),
        (
            {"submission.json": about(seeds=[1, 2])},
            "train_seed3.log: of no seed that submission.json names, 1 and 2; not counted",
        ),
        (
            {"submission.json": about(val_bpb=1.0788)},
            "submission.json:2 claims 1.0788, the best of 3 runs; their mean is 1.07903, which is compared",
        ),
        (
            {"submission.json": about(seeds=[1, 2, 3], runs={"all_seeds": [1, 2, 3, 7, 8]})},
            "submission.json tells of more runs than count, seeds 7 and 8 (runs.all_seeds)",
        ),
        (
            {"recipe.yaml": "submission: {seeds: [1, 2, 42]}\n"},
            "the recipe plans seeds 1, 2 and 42, and no log of 42 counts",
        ),
        (
            {"recipe.yaml": "submission: {seeds: [1, 2, 42]}\n"},
            "the recipe plans seeds 1, 2 and 42, not 3, which counts",
        ),
        (
            {"train.log": THREE["train_seed2.log"]},
            "train.log is the run of train_seed2.log again: counted once",
        ),
        (
            {"again.log": log(2, 1.0786)},
            "seed 2 has 2 runs, again.log and train_seed2.log: train_seed2.log, the worst, counts",
        ),
        (
            {"again.log": log(2, 1.0796), "submission.json": about(seed_results=RESULTS)},
            "seed 2 has 2 runs, again.log and train_seed2.log: train_seed2.log, the claimed one, counts",
        ),
        (
            {"train_seed4.log": log(4, 1.0791, code=17001)},
            "the runs differ in bytes of code: 17,000 in train_seed1.log, train_seed2.log and "
            "train_seed3.log, 17,001 in train_seed4.log",
        ),
        (
            {"train_seed4.log": log(4, 1.0791, processes=2)},
            "the runs differ in the number of processes: 8 in train_seed1.log, train_seed2.log and "
            "train_seed3.log, 2 in train_seed4.log",
        ),
        (
            {"train_seed4.log": log(4, 1.0791).replace("0.022", "0.023")},
            "the runs differ in hyperparameter matrix_lr: 0.022 in train_seed1.log, train_seed2.log and "
            "train_seed3.log, 0.023 in train_seed4.log",
        ),
        (
            {"train_seed4.log": log(4, 1.0791, more="  ttt_hash: True\n")},
            "train_seed1.log does not print hyperparameters that other runs print: ttt_hash",
        ),
    ],
)
def test_runs_that_are_a_choice_or_no_repetition_are_told(tree, files, warning):
    tree({"a": {**THREE, **files}})
    found = json.loads(results("a", "--against", "pr1493", "--json").stdout)
    assert warning in found["warnings"]


def test_runs_on_other_machines_are_told(tree):
    tree(THREE)
    logs = [read_log(Path(name)) for name in THREE]
    mixed = [
        replace(log, hardware=gpu) for log, gpu in zip(logs, ("H100", "H100", "H200"), strict=True)
    ]
    assert sample_of_logs(mixed).warnings == (
        "the runs differ in hardware: H100 in train_seed1.log and train_seed2.log, "
        "H200 in train_seed3.log",
    )


@pytest.mark.parametrize(
    "about",
    [
        '{"a":' * 900 + "1" + "}" * 900,
        json.dumps({"val_bpb": 1.07, "seeds": list(range(9_000))}),
        '{"val_bpb": NaN, "seeds": [1, true, "2", null, [3]], "date": 3, "track": ["x"]}',
        json.dumps({"val_bpb": "1.07", "seeds": {"x": 1}, "seed_results": [1, {"seed": 2}]}),
    ],
)
def test_a_strange_submission_json_is_read_or_refused_in_one_line(tree, about):
    tree({"a": {**THREE, "submission.json": about, "recipe.yaml": "submission: [3]\n"}})
    result = results("a", "--against", "pr1493")
    assert result.exit_code in (0, 2) and (result.exception is None or result.exit_code == 2)
    assert max(map(len, result.output.splitlines())) < 500


def test_a_track_without_policies_has_no_verdict(tree):
    tree({"a": {**THREE, "submission.json": about(track="non-record-unlimited-compute-16mb")}})
    told = lines(results("a", "--against", "pr1493"))
    assert told[-1] == "track unlimited has no policy: nothing says what would be a record"


def test_a_folder_of_plain_repetitions_is_told_nothing(tree):
    tree({"a": {**THREE, "submission.json": about(seed_results=RESULTS, seeds=[1, 2, 3])}})
    found = json.loads(results("a", "--against", "pr1493", "--json").stdout)
    assert found["warnings"] == [] and found["date"] == "2026-04-20"


def test_an_incomplete_log_is_left_out_and_told(tree):
    cut = THREE["train_seed3.log"].partition("stopping_early")[0]
    tree({**THREE, "train_seed3.log": cut})
    result = results(*THREE, "--against", "pr1493", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1  # as `results` does for a log that is not whole
    assert found["ours"]["seeds"] == [1, 2]
    [warning] = found["warnings"]
    assert warning.startswith("train_seed3.log is left out: ") and "ends at step 4,500" in warning


def test_logs_of_a_submission_that_are_not_given_are_told(tree):
    tree({"a": {**THREE, "submission.json": about()}})
    found = json.loads(results("a/train_seed3.log", "--against", "pr1493", "--json").stdout)
    assert found["warnings"] == [
        "more logs lie there that are not counted: train_seed1.log and train_seed2.log"
    ]


@pytest.mark.parametrize(
    ("score", "why"),
    [
        ("val_bpb:nan", "train_seed3.log is left out: "),
        ("val_bpb:inf", "train_seed3.log is left out"),
    ],
)
def test_a_score_that_is_no_number_counts_for_nothing(tree, score, why):
    broken = THREE["train_seed3.log"].replace("val_bpb:1.07880000", score)
    assert score in broken
    tree({**THREE, "train_seed3.log": broken})
    found = json.loads(results(*THREE, "--against", "pr1493", "--json").stdout)
    assert found["ours"]["seeds"] == [1, 2] and found["warnings"][0].startswith(why)


def test_what_is_no_log_is_one_line(tree):
    tree({**THREE, "junk.log": bytes(range(256)) * 40, "deep": {}})
    for path in ("junk.log", "deep", "nowhere.log"):
        for args in ((path, "--against", "pr1493"), ("train_seed1.log", "--against", path)):
            result = results(*args)
            assert result.exit_code == 2 and result.stdout == "", args
            assert result.stderr.count("\n") == 1 and path in result.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--against", "pr9"],
            "pr9 is no row of the leaderboard, and no log or folder. `pgolf-compose",
        ),
        (["--against", "best"], "best before which day? --date YYYY-MM-DD says it"),
        (
            ["--against", "best", "--date", "2026-01-01"],
            "track 10min_16mb has no row from before 2026",
        ),
        (["--against", "pr1493", "--date", "soon"], "soon is no date; write it like 2026-04-05"),
        (
            ["--against", "pr1493", "--policy", "mine"],
            "mine is no policy. There are readme-2026-03 and",
        ),
        (
            ["--against", "pr1493", "--track", "10min"],
            "10min is no track. Did you mean 10min_16mb?",
        ),
        (
            ["--against", "pr1493", "--against", "train_seed1.log"],
            "pr1493: there is no such log or",
        ),
        (["--against", "pr1493", "--against", "pr1477"], "one row can be held against: pr1493, or"),
    ],
)
def test_what_cannot_be_held_against_is_one_line(tree, args, message):
    tree(THREE)
    result = results(*THREE, *args)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith(message) and result.stderr.count("\n") == 1


def test_options_that_do_not_go_together_are_refused(tree):
    tree(THREE)
    for args, told in (
        (["--policy", "readme-2026-03"], "--policy, --date and --track go with --against"),
        (["--against", "pr1493", "--curves"], "--curves and --svg go without --against"),
    ):
        result = results(*THREE, *args)
        assert result.exit_code == 2 and told in result.stderr


def test_a_folder_without_a_score_is_told(tree):
    tree({"a": {"notes.md": "nothing\n"}})
    result = results("a", "--against", "pr1493")
    assert result.stderr == "a: no training log in this folder\n"


def test_the_mean_that_is_needed_meets_the_policy_and_a_little_more_does_not():
    ours, theirs = summary([1.0800, 1.0805, 1.0810]), Sample(
        "r", Summary(1.081, 0.0002, 3), tokens=2.58
    )
    for policy in (
        Policy("a", "", "", "", min_difference=0.005, unit="nats_per_token", p=0.01),
        Policy("b", "", "", "", p=0.25),
        Policy("c", "", "", "", min_difference=0.01, unit="bpb"),
    ):
        verdict = judge(compare(Sample("o", ours, tokens=2.58), theirs), policy)
        assert verdict.met is False or policy.name == "b"
        for mean, met in ((verdict.needed, True), (verdict.needed + 2e-5, False)):
            at = Sample("o", Summary(mean, ours.std, 3), tokens=2.58)
            assert judge(compare(at, theirs), policy).met is met


def test_what_is_just_enough_is_enough_and_figures_that_differ_look_different():
    policy = Policy("a", "", "", "", min_difference=0.005, unit="bpb")

    def reason(mean):
        ours = Sample("o", Summary(mean, 0.001, 3))
        verdict = judge(compare(ours, Sample("r", Summary(1.081, 0.001, 3))), policy)
        return verdict.met, verdict.reason.partition(";")[0]

    assert reason(1.076) == (True, "1.07600 is below 1.08100 by 0.00500 bpb, 0.005 are asked")
    assert reason(1.076001) == (False, "0.00499900 bpb better, 0.005 are asked")
    assert reason(1.081001) == (False, "1.08100100 is not below 1.08100000")


def test_runs_of_one_score_are_told(tree):
    tree({f"train_seed{seed}.log": log(seed, 1.079) for seed in (1, 2)})
    found = json.loads(
        results("train_seed1.log", "train_seed2.log", "--against", "pr1493", "--json").stdout
    )
    assert "all runs have one score, to every digit: different seeds never do" in found["warnings"]


def test_a_difference_in_nats_per_token_needs_a_loss_of_ours():
    policy = Policy("a", "", "", "", min_difference=0.005, unit="nats_per_token")
    ours = Sample("o", Summary(1.07, 0.001, 3))
    verdict = judge(compare(ours, Sample("r", Summary(1.08, 0.001, 3))), policy)
    assert (verdict.met, verdict.reason) == (
        None,
        "0.005 nats per token are asked, and not known: no val_loss of ours",
    )


@pytest.mark.skipif(
    not SHARED.exists(), reason="needs the records, in ../shared beside the checkout"
)
@pytest.mark.parametrize(
    ("folder", "warning"),
    [
        (
            "2026-04-09_SP8192_3LayerRecur_ParResid_QK525_LegalTTT",
            "the runs differ in bytes of code: 16,630 in train_seed42.log, 16,594 in "
            "train_seed314.log and train_seed999.log",
        ),
        (
            "2026-04-22_SP8192_CaseOps_GatedAttn_QuantGate_Loop45_PhasedTTT_MLPClip12",
            "submission.json tells of more runs than count, seeds 7 and 9999 "
            "(seed_results_all_runs_disclosure.all_7_seeds)",
        ),
        (
            "2026-03-20_11L_XSA4_EMA_Int6_MLP3x_WD04_1.1271",
            "submission.json:8 claims 1.12707468, the best of 3 runs; their mean is 1.12802, which "
            "is compared",
        ),
        (
            "2026-04-04_SP4096_DepthRecurrence_ParallelResid_MuonEqR",
            "train_seed42.log:277 counts, final_int6_ttt 1.33603; submission.json:11 claims "
            "1.08938974, which is its final_int6_sliding_window on line 133",
        ),
    ],
)
def test_what_public_records_do_not_say_of_themselves_is_found(folder, warning):
    path = SHARED / "records" / "track_10min_16mb" / folder
    assert warning in json.loads(results(path, "--against", "pr549", "--json").stdout)["warnings"]
