"""Which logs may stand beside a script, and what they show."""

from decimal import Decimal

import pytest
from training_logs import write_log

from pgolf_compose.build import compose
from pgolf_compose.errors import ComposeError
from pgolf_compose.submission.checklist import checks
from pgolf_compose.submission.evidence import Results, read_runs

RECIPE = "extends: baseline\nsettings: {matrix_lr: 0.02}\nsubmission: {seeds: [1, 2]}\n"


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "mine.yaml"
    path.write_text(RECIPE)
    return compose(path)


@pytest.fixture(scope="module")
def unranked(tmp_path_factory):
    """The same on a track whose results stand on no leaderboard."""
    path = tmp_path_factory.mktemp("recipe") / "mine.yaml"
    path.write_text(f"track: non_record_16mb\n{RECIPE}")
    return compose(path)


@pytest.fixture
def refusal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(build, *paths) -> str:
        with pytest.raises(ComposeError) as caught:
            read_runs(build, paths, (1, 2))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return run


def line_of(path, words: str) -> int:
    lines = path.read_text(encoding="utf-8").split("\n")
    return max(n for n, line in enumerate(lines, 1) if words in line)


def test_every_figure_has_its_line_and_its_digits(mine, tmp_path):
    path = write_log(tmp_path, mine, 1, bpb="1.08079350")
    [run] = read_runs(mine, [path], (1,)).runs
    stated = {name: (one.text, one.line) for name, one in run.figures.items()}
    size = len(mine.packed)
    assert stated == {
        "val_bpb": ("1.08079350", line_of(path, "_exact")),
        "val_loss": ("2.79180191", line_of(path, "_exact")),
        "steps": ("4550", line_of(path, "stopping_early")),
        "train_ms": ("588047", line_of(path, "stopping_early")),
        "eval_ms": ("366525", line_of(path, "_exact")),
        "bytes_model": ("15800000", line_of(path, "int8+zlib: 15800000")),
        "bytes_code": (str(size), line_of(path, "Code size")),
        "bytes_total": (str(15_800_000 + size), line_of(path, "Total")),
        "artifact_bytes": (str(15_800_000 + size), line_of(path, "Total")),
    }
    assert run.lines("eval_ms") == [line_of(path, "eval_time")]


def test_mean_and_deviation_are_exact_and_have_the_logs_digits(mine, tmp_path):
    logs = [
        write_log(tmp_path, mine, seed, bpb=bpb)
        for seed, bpb in ((1, "1.05840000"), (2, "1.05856000"), (3, "1.05912000"))
    ]
    results = read_runs(mine, logs, ())
    assert results.mean("val_bpb") == Decimal("1.05869333")
    assert results.std("val_bpb") == Decimal("0.00037807")  # 0.00038 as published
    assert Results().mean("val_bpb") is None


def test_runs_stand_in_the_recipe_s_order_and_the_missing_are_pending(mine, tmp_path):
    logs = [write_log(tmp_path, mine, seed) for seed in (7, 2)]
    results = read_runs(mine, logs, (1, 2))
    assert ([run.seed for run in results.runs], results.pending) == ([2, 7], (1,))


def test_a_log_that_holds_another_script_is_refused(mine, tmp_path, refusal):
    path = write_log(tmp_path, mine, 1, script="#pgolf-compose\nimport lzma\n")
    assert refusal(mine, path) == (
        "train_seed1.txt:1: this log holds another script than train_gpt.py as composed now: the "
        "recipe or pgolf-compose has changed since; run train_gpt.py as `submit` writes it, then "
        "give that run's log"
    )


def test_a_log_of_a_script_of_another_size_is_refused_everywhere(mine, unranked, tmp_path, refusal):
    path = write_log(tmp_path, mine, 1, script="", code=16630)
    for build in (mine, unranked):
        assert refusal(build, path) == (
            f"train_seed1.txt:{line_of(path, 'Code size')}: the script of this run had 16,630 "
            f"bytes, train_gpt.py has {len(build.packed):,}: it is another; run train_gpt.py as "
            "`submit` writes it, then give that run's log"
        )


def test_a_size_that_is_not_the_size_of_the_script_in_the_log_is_refused(mine, tmp_path, refusal):
    path = write_log(tmp_path, mine, 1, code=len(mine.packed) - 100)
    assert "somebody has changed it; give it as the run wrote it" in refusal(mine, path)


@pytest.mark.parametrize("whole", [True, False])
def test_a_log_of_the_readable_script_is_shown_as_that_and_never_on_a_leaderboard(
    mine, unranked, tmp_path, refusal, whole
):
    size = len(unranked.readable)
    script = unranked.readable.decode() if whole else ""
    path = write_log(tmp_path, unranked, 1, script=script, code=size)
    line = 1 if whole else line_of(path, "Code size")
    [run] = (results := read_runs(unranked, [path], (1,))).runs
    # the limit is on what is shipped, not on what ran
    assert run.value("artifact_bytes") == 15_800_000 + len(unranked.packed)
    told = str(checks(unranked, results)[1])
    assert told == (
        "- [ ] every log is of `train_gpt.py` as it lies here: **not met**: "
        f"`train_seed1.log:{line}` is of the readable twin"
    )
    path = write_log(
        tmp_path,
        mine,
        1,
        script=mine.readable.decode() if whole else "",
        code=len(mine.readable),
    )
    assert "this log is of the readable script, not of train_gpt.py" in refusal(mine, path)


@pytest.mark.parametrize(
    "changed, told",
    [
        ({"iterations": 100}, "iterations was 100 in this run, the recipe has 20000"),
        ({"cap": "60.000"}, "max_wallclock_seconds was 60.000 in this run, the recipe has 600.0"),
        ({"lines": "matrix_lr:0.04\n"}, "matrix_lr was 0.04 in this run, the recipe has 0.02"),
        ({"lines": "  matrix_lr: 0.04\n"}, "matrix_lr was 0.04 in this run, the recipe has 0.02"),
        ({"lines": "tie_embeddings:False\n"}, "tie_embeddings was False in this run"),
        ({"lines": "precision:fp32\n"}, "precision was fp32 in this run, the recipe has 'bf16'"),
    ],
)
def test_a_value_that_contradicts_the_recipe_is_refused(mine, tmp_path, refusal, changed, told):
    path = write_log(tmp_path, mine, 1, **changed)
    assert told in refusal(mine, path)


@pytest.mark.parametrize(
    "lines",
    [
        "matrix_lr:0.02\nadam_eps:1e-08\nseed:5\nrun_id:x\ndata_dir:/elsewhere\n",
        "eval_seq_len:1024\n",  # filled in by the script, as the recipe leaves it empty
        "unknown_to_us:5\n",
    ],
)
def test_what_belongs_to_a_run_or_a_machine_contradicts_nothing(mine, tmp_path, lines):
    assert read_runs(mine, [write_log(tmp_path, mine, 5, lines=lines)], ()).runs


def test_a_size_alone_proves_no_script(mine, tmp_path):
    path = write_log(tmp_path, mine, 1, script="")
    told = str(checks(mine, read_runs(mine, [path], (1,)))[1])
    assert told == (
        "- [ ] every log is of `train_gpt.py` as it lies here: not checked; "
        f"`train_seed1.log:{line_of(path, 'Code size')}` tells of its size, {len(mine.packed)} bytes"
    )


def test_two_logs_of_a_seed_are_refused_and_the_same_log_twice_is_one(mine, tmp_path, refusal):
    a, b = (write_log(tmp_path, mine, 1, name) for name in ("a.log", "b.log"))
    assert len(read_runs(mine, [a, b], ()).runs) == 1
    c = write_log(tmp_path, mine, 1, "c.log", bpb="1.07000000")
    assert refusal(mine, a, c) == (
        "a.log: is a log of seed 1, and c.log is another; keep one of them, and say in your part "
        "of the README why the other does not count"
    )


def test_a_log_without_a_seed_says_how_to_name_it(mine, tmp_path, refusal):
    path = write_log(tmp_path, mine, 1, "run.log")
    path.write_text(path.read_text(encoding="utf-8").replace("\nseed:1\n", "\n"), encoding="utf-8")
    assert refusal(mine, path) == (
        "run.log: does not tell its seed; name the file train_seed42.log, for the seed it had"
    )


def test_a_run_that_is_no_result_is_refused_for_a_leaderboard(mine, tmp_path, refusal):
    cut = write_log(tmp_path, mine, 1)
    text = cut.read_text(encoding="utf-8")
    cut.write_text(text[: text.index("stopping_early")], encoding="utf-8")
    assert "train_seed1.txt: this run is not complete: " in refusal(mine, cut)
    large = write_log(tmp_path, mine, 1, model=15_999_000)
    total = 15_999_000 + len(mine.packed)
    assert refusal(mine, large) == (
        f"train_seed1.txt:{line_of(large, 'Total')}: the artifact has {total:,} bytes, "
        "10min_16mb allows 16,000,000; leave this log out, or show it on a track without records"
    )
    long = write_log(tmp_path, mine, 1, ms=612_000)
    assert "training took 612 s, more than a step over the 600 s of 10min_16mb" in refusal(
        mine, long
    )


def test_a_run_that_diverged_has_no_figure(mine, unranked, tmp_path, refusal):
    assert "train_seed1.txt: this run" in refusal(mine, write_log(tmp_path, mine, 1, bpb="nan"))
    results = read_runs(unranked, [write_log(tmp_path, unranked, 1, bpb="nan")], (1,))
    assert results.mean("val_bpb") is None


def test_elsewhere_it_is_shown_and_said(unranked, tmp_path):
    cut = write_log(tmp_path, unranked, 1, model=15_999_000)
    results = read_runs(unranked, [cut], (1,))
    told = {one.demand: one for one in checks(unranked, results)}
    assert told["script and compressed model within 16,000,000 bytes"].met is False
    text = cut.read_text(encoding="utf-8")
    cut.write_text(text[: text.index("stopping_early")], encoding="utf-8")
    results = read_runs(unranked, [cut], (1,))
    assert results.status == "incomplete"
    [first, *_] = checks(unranked, results)
    assert first.met is False and first.evidence.startswith("`train_seed1.log` ")


def test_the_last_step_may_end_after_the_limit_but_is_not_ticked(mine, tmp_path):
    results = read_runs(mine, [write_log(tmp_path, mine, 1, ms=600_028)], (1, 2))
    [told] = [str(one) for one in checks(mine, results) if "trained" in one.demand]
    assert told.startswith("- [ ] trained within 600 s: **not met**: `train_seed1.log:")
    assert told.endswith("` 600.028 s")


def test_only_what_a_log_shows_is_ticked(mine, tmp_path):
    assert [one.met for one in checks(mine, Results(pending=(1,)))] == [None] * 9
    logs = [write_log(tmp_path, mine, seed) for seed in (1, 2, 3)]
    results = read_runs(mine, logs, ())
    found = [str(one) for one in checks(mine, results)]
    line = line_of(logs[0], "stopping_early")
    assert found[3] == (
        f"- [x] trained within 600 s: `train_seed1.log:{line}` 588.047 s; "
        f"`train_seed2.log:{line}` 588.047 s; `train_seed3.log:{line}` 588.047 s"
    )
    assert [one[:5] for one in found] == ["- [x]"] * 6 + ["- [ ]"] * 3
    assert all("not checked" in one for one in found[6:])


def test_a_machine_of_another_size_is_not_ticked(mine, tmp_path):
    results = read_runs(mine, [write_log(tmp_path, mine, 1, world=1)], (1,))
    [told] = [str(one) for one in checks(mine, results) if "8xH100" in one.demand]
    assert "**not met**: `train_seed1.log` tells of 1 process" in told


@pytest.mark.parametrize(
    "name, content, told",
    [
        ("a.log", b"\x00\xff\xfe\x01" * 1000, "a.log: "),
        ("a.log", b"", "a.log: tells of no training; name the logs of this script's runs"),
        ("a.log", b"hello\n", "a.log: tells of no training; name the logs of this script's runs"),
        ("a.log", None, "a.log: cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_log_is_refused(mine, tmp_path, refusal, name, content, told):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert refusal(mine, tmp_path / name).startswith(told)


def test_a_log_that_github_would_not_take_is_refused(mine, tmp_path, refusal):
    with (tmp_path / "a.log").open("wb") as file:
        file.truncate(100_000_001)
    assert "a.log: has 100,000,001 bytes, GitHub takes 100,000,000 at most" in refusal(
        mine, tmp_path / "a.log"
    )
