"""The folder of a pull request: made, brought up to date, and never at a person's cost."""

import errno
import hashlib
import json
import os
import resource
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import technique
from training_logs import log_text, write_log

from pgolf_compose import __version__
from pgolf_compose.build import compose
from pgolf_compose.errors import ComposeError
from pgolf_compose.files import write_files
from pgolf_compose.submission import submission, submission_folder

DATE = "2026-04-05"
RECIPE = (
    "extends: baseline\nsettings: {matrix_lr: 0.02}\n"
    "submission: {name: Slower matrices, author: me, seeds: [1, 2]}\n"
)
HOME = Path("records/track_10min_16mb/2026-04-05_mine")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "mine.yaml"
    path.write_text(RECIPE)
    return compose(path)


@pytest.fixture
def make(build, tmp_path, monkeypatch):
    """Make the folder in an empty one, or bring it up to date, with logs of some seeds."""
    monkeypatch.chdir(tmp_path)

    def run(*seeds: int, force: bool = False, against: str = "", **changed) -> Path:
        logs = [write_log(Path("logs"), build, seed, **changed) for seed in seeds]
        folder = submission_folder(build, Path(), DATE)
        made = submission(build, folder, DATE, logs, force, against)
        write_files(made.files, force, ours=made.ours)
        return folder

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files(folder)}


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def about(folder: Path) -> dict:
    return json.loads((folder / "submission.json").read_text())


# -- what is made -----------------------------------------------------------------------------


def test_the_folder_holds_what_a_pull_request_needs_with_results_pending(tree, cli):
    folder = tree({"mine.yaml": RECIPE})
    result = cli("submit", "mine.yaml", "--date", DATE)
    home = folder / HOME
    assert "\nresults  pending: no log has been read\n" in result.stdout
    assert sorted(path.name for path in home.iterdir()) == [
        "README.md",
        "recipe.yaml",
        "requirements.txt",
        "submission.json",
        "train_gpt.py",
        "train_gpt_human.py",
    ]
    script = (home / "train_gpt.py").read_bytes()
    found = about(home)
    assert found == {
        "author": "me",
        "github_id": "",
        "name": "Slower matrices",
        "blurb": "",
        "date": DATE,
        "track": "10min_16mb",
        "status": "pending",
        "val_loss": None,
        "val_bpb": None,
        "bytes_total": None,
        "bytes_code": len(script),
        "seeds": [1, 2],
        "built_with": found["built_with"],
    }
    built = found["built_with"]
    assert (built["pgolf_compose"], built["packages"]) == (__version__, [])
    assert built["command"] == "pgolf-compose recipe.yaml"
    assert built["versions"]["black"] == "26.10.1"
    for name in ("train_gpt.py", "train_gpt_human.py", "requirements.txt", "recipe.yaml"):
        assert built["sha256"][name] == sha256((home / name).read_bytes())
    readme = (home / "README.md").read_text()
    assert "| 1 | pending | pending | pending | pending |" in readme
    assert "- `matrix_lr 0.04 -> 0.02`" in readme
    assert (
        "SEED=2 RUN_ID=train_seed2 torchrun --standalone --nproc_per_node=8 train_gpt.py" in readme
    )
    assert "val_bpb:" not in readme and "- [x]" not in readme
    assert (home / "requirements.txt").read_text() == "numpy\nsentencepiece\ntorch\n"


def test_logs_give_every_figure_and_lie_there_byte_for_byte(make, build):
    home = make(1, bpb="1.08079352")
    home = make(2, bpb="1.08103000")
    for seed in (1, 2):
        copy = (home / f"train_seed{seed}.log").read_bytes()
        assert copy == Path(f"logs/train_seed{seed}.txt").read_bytes()
    total = 15_800_000 + len(build.packed)
    found = about(home)
    assert found["built_with"]["sha256"]["train_seed1.log"] == sha256(
        Path("logs/train_seed1.txt").read_bytes()
    )
    stated = {key: found.get(key) for key in ("status", "val_bpb", "val_bpb_std", "bytes_total")}
    assert stated == {
        "status": None,
        "val_bpb": 1.08091176,
        "val_bpb_std": 0.00016722,
        "bytes_total": total,
    }
    assert found["seed_results"]["2"] == {
        "val_bpb": 1.08103,
        "val_loss": 2.79180191,
        "steps": 4550,
        "train_time_ms": 588047,
        "eval_time_ms": 366525,
        "artifact_bytes": total,
    }
    assert '"val_bpb": 1.08103000,' in (home / "submission.json").read_text()
    readme = (home / "README.md").read_text()
    last = log_text(build).count("\n")
    for line in (
        f"| 1 | 1.08079352 | 2.79180191 | 4550 | 588.047 | 366.525 | {total} |",
        "| mean | 1.08091176 | 2.79180191 |  |  |  |  |",
        "| sample std | 0.00016722 | 0.00000000 |  |  |  |  |",
        "| 2 | [train_seed2.log](train_seed2.log) | `final_int8_zlib_roundtrip_exact` | "
        f"{last} | {last - 7} | {last - 1} | {last - 4}, {last - 3}, {last - 2} |",
        f"| room left, by the largest | {16_000_000 - total:,} |",
        "**val_bpb 1.08091176**, mean of 2 seeds, sample standard deviation 0.00016722.",
        "![Loss while training, by seed](curves.svg)",
        "- [x] every log is of `train_gpt.py` as it lies here: `train_seed1.log:1` begins with it, "
        "byte for byte; `train_seed2.log:1` begins with it, byte for byte",
    ):
        assert f"\n{line}\n" in readme
    assert (home / "curves.svg").read_text().startswith("<svg")


def test_a_row_of_the_leaderboard_stands_beside_and_is_remembered(make):
    home = make(1, bpb="1.08079352", against="pr1493")
    readme = (home / "README.md").read_text()
    assert "\n| here | 1.08079 | not known | 1 |\n" in readme
    assert (
        "| [PR #1493](https://github.com/openai/parameter-golf/pull/1493), 2026-04-09 | " in readme
    )
    make(2, bpb="1.08103000")
    readme = (home / "README.md").read_text()
    one = "[PR #1493](https://github.com/openai/parameter-golf/pull/1493)"
    files = "`2026-04-09_SP8192_3LayerRecur_ParResid_QK525_LegalTTT`"
    assert f"\nSource of {one}: submission.json and logs of the folder, {files}.\n" in readme
    assert f"\n  - against {one} of 2026-04-09 not met: 0.0002" in readme
    assert "\n| here | 1.08091 | 0.00017 | 2 |\n" in readme
    assert "\n- Welch's t test, one-sided: t = " in readme
    with pytest.raises(ComposeError, match="pr9999 is no row of the leaderboard"):
        make(against="pr9999")


def test_a_seed_without_a_log_is_pending(make):
    home = make(1)
    readme = (home / "README.md").read_text()
    assert "\n**Pending: 1 of 2 seeds.** What is told below is of the others.\n" in readme
    assert "| 2 | pending | pending | pending | pending | pending | pending |" in readme
    assert (about(home)["status"], about(home)["seeds"]) == ("pending", [1])


def test_the_page_says_what_changed_where_it_comes_from_and_how_to_run_it(tree, cli):
    folder = tree({"mine.yaml": "extends: baseline\ntechniques: {gptq: , xsa: {last_n: 4}}\n"})
    assert cli("submit", "mine.yaml", "--date", DATE, "--keep", "MATRIX_LR").exit_code == 0
    home = folder / HOME
    readme = (home / "README.md").read_text()
    for line in (
        "Builds on `baseline`, by Baseline.",
        "- `+ gptq`",
        "- `+ xsa`",
        "- `xsa_last_n 4`",
        "pip install -r records/track_10min_16mb/2026-04-05_mine/requirements.txt",
        "python data/cached_challenge_fineweb.py --variant sp1024",
        "export DATA_DIR=../../../data",
    ):
        assert f"\n{line}\n" in readme
    rows = [line for line in readme.splitlines() if line.startswith("| `gptq` |")]
    assert rows[0].startswith("| `gptq` | 0 | ")
    assert "\n  - `gptq` keeps rule 7: quantisation is not calibrated on unscored" in readme
    assert "[PR #535](https://github.com/openai/parameter-golf/pull/535)" in rows[1]
    assert "head compensated: rounded as any matrix" in rows[1]
    assert about(home)["attribution"]["gptq"].startswith("arXiv:2210.17323")
    command = about(home)["built_with"]["command"]
    assert command == "pgolf-compose recipe.yaml --keep MATRIX_LR"
    [_, name, *options] = command.split()
    recomposed = cli(home / name, *options, "--stdout").stdout_bytes
    assert recomposed == (home / "train_gpt.py").read_bytes()


def test_what_is_there_for_measuring_is_not_submitted(tree, refuses):
    folder = tree({"mine.yaml": "extends: baseline\ntechniques: {metrics: }\n"})
    assert refuses("submit", "mine.yaml") == (
        "mine.yaml: a submission cannot hold metrics, which is there for measuring; "
        "--without metrics\n"
    )
    assert not (folder / "records").exists()


def test_a_date_is_a_date(refuses):
    for date in ("yesterday", "20260405", "2026-W01-1", "../2026-04-05", "2026-04-05\n"):
        assert refuses("submit", "baseline", "--date", date) == (
            f"{date} is no date; write it like 2026-04-05\n"
        )


def test_techniques_of_a_folder_travel_with_the_recipe_that_needs_them(tree, cli):
    mine = technique("# @fill main.finish\nlog(h, 1)\n")
    folder = tree({"mine": {"a": mine}, "x.yaml": "plugins: [mine]\ntechniques: {a: }\n"})
    assert cli("submit", "x.yaml", "--date", DATE).exit_code == 0
    home = folder / "records" / "track_10min_16mb" / "2026-04-05_x"
    shutil.rmtree(folder / "mine")
    assert (
        cli(home / "recipe.yaml", "--stdout").stdout_bytes == (home / "train_gpt.py").read_bytes()
    )


# -- which logs -------------------------------------------------------------------------------


def test_logs_are_files_or_folders_of_them_and_a_shell_may_name_many(build, tree, cli):
    folder = tree({"mine.yaml": RECIPE})
    for seed in (1, 2):
        write_log(folder / "logs", build, seed)
    result = cli("submit", "mine.yaml", "--date", DATE, "--logs", "logs")
    assert "\nresults  val_bpb 1.08079352, mean of 2 seeds\n" in result.stdout
    several = ("logs/train_seed1.txt", "logs/train_seed2.txt")
    again = cli("submit", "mine.yaml", "--date", DATE, "--logs", *several)
    assert again.stdout == result.stdout


def test_logs_are_named_after_their_option(tree, refuses):
    tree({"mine.yaml": RECIPE, "a.log": ""})
    assert "a.log: logs are named after --logs" in refuses("submit", "mine.yaml", "a.log")


def test_logs_in_the_folder_count_without_being_named(make, build):
    home = make(1, 2)
    before = contents(home)
    shutil.rmtree("logs")
    assert contents(make()) == before
    (home / "train_seed2.log").unlink()
    assert list(about(make())["seed_results"]) == ["1"]


def test_a_log_does_not_take_the_place_of_another_of_its_seed(make):
    home = make(1)
    before = contents(home)
    with pytest.raises(
        ComposeError, match=r"is a log of seed 1, and records/.*_seed1.log is another"
    ):
        make(1, bpb="1.07000000")
    assert contents(home) == before
    make(1, bpb="1.07000000", force=True)
    assert about(home)["val_bpb"] == 1.07
    assert (home / "train_seed1.log").read_bytes() == Path("logs/train_seed1.txt").read_bytes()


def test_a_log_that_was_changed_in_the_folder_counts_only_by_force(make):
    log = make(1) / "train_seed1.log"
    log.write_text(log.read_text().replace("val_bpb:1.08079352", "val_bpb:1.07079352"))
    with pytest.raises(ComposeError, match=r"_seed1.log: has changed since it was put here; put"):
        make()
    assert about(make(force=True))["val_bpb"] == 1.07079352


def test_logs_of_another_recipe_that_lie_in_the_folder_have_to_go(make, tree, cli, refuses):
    home = make(1)
    Path("mine.yaml").write_text(RECIPE.replace("0.02", "0.03"))
    error = refuses("submit", "mine.yaml", "--date", DATE)
    assert error.startswith(f"{HOME}/train_seed1.log:")
    assert error.endswith(
        "it lies in the folder already: move it away, or name another run of its seed with --force\n"
    )
    (home / "train_seed1.log").unlink()
    assert cli("submit", "mine.yaml", "--date", DATE).exit_code == 0


def test_nothing_is_written_where_a_log_is_refused(build, tree, refuses):
    folder = tree({"mine.yaml": RECIPE, "empty": {}, "junk.log": b"\x00\x01\xff" * 9000})
    write_log(folder, build, 1, "other.log", script="", code=16630)
    for log, told in (
        ("other.log", "the script of this run had 16,630 bytes"),
        ("junk.log", "junk.log: "),
        ("empty", "empty: holds no training log"),
        ("none.log", "none.log: cannot be read: No such file or directory"),
        ("/dev/null", "/dev/null: is no file; name logs, or folders of them"),
    ):
        error = refuses("submit", "mine.yaml", "--date", DATE, "--logs", log)
        assert told in error and error.count("\n") == 1
    assert not (folder / "records").exists()


# -- brought up to date -----------------------------------------------------------------------


def test_run_again_it_keeps_what_a_person_added_and_updates_its_own(make):
    home = make(1)
    page, keys = home / "README.md", home / "submission.json"
    before = page.read_text()
    place = before.index("<!-- pgolf-compose:results -->")
    mine = f"{before[:place]}The idea: less, for longer.\n\n{before[place:]}\n## Thanks\n\n- all\n"
    page.write_text(mine)
    keys.write_text(keys.read_text().replace('"author"', '"gpu": "my own", "author"', 1))
    make(2)
    after = page.read_text()
    assert after.startswith(f"{before[:place]}The idea: less, for longer.\n\n<!-- pgolf-compose:")
    assert after.endswith("\n## Thanks\n\n- all\n")
    assert "| 2 | 1.08079352 |" in after and "pending" not in after
    assert about(home)["gpu"] == "my own"
    assert list(about(home)["seed_results"]) == ["1", "2"]
    assert contents(make()) == contents(home)  # and a third time, it changes nothing


def test_what_a_person_changed_in_our_part_is_refused_and_nothing_is_written(make):
    home = make(1)
    page = home / "README.md"
    page.write_text(page.read_text().replace("| 1 | 1.08079352 |", "| 1 | 1.05079352 |"))
    [line] = [n for n, one in enumerate(page.read_text().split("\n"), 1) if "1.05079352" in one]
    before = contents(home)
    with pytest.raises(ComposeError) as caught:
        make()
    assert str(caught.value).startswith(f"{HOME}/README.md:{line}: the section results is ")
    with pytest.raises(ComposeError, match=r"README.md:13: the section results is written"):
        make(2)  # which changes that section as well: its first line is told
    assert contents(home) == before
    make(2, force=True)
    assert "1.05079352" not in page.read_text()


@pytest.mark.parametrize("name", ["train_gpt.py", "recipe.yaml", "requirements.txt", "curves.svg"])
def test_a_file_that_a_person_wrote_on_is_left_alone(make, name):
    home = make(1)
    (home / name).write_text("mine\n")
    before = contents(home)
    with pytest.raises(ComposeError, match=f"{name}: was not written by pgolf-compose and stays"):
        make(2)
    assert contents(home) == before


def test_another_s_folder_is_not_written_over(make):
    HOME.mkdir(parents=True)
    (HOME / "README.md").write_text("# mine\n")
    (HOME / "notes.txt").write_text("mine\n")
    with pytest.raises(ComposeError, match=r"README.md: has none of the sections that are written"):
        make(1)
    assert contents(HOME) == {"README.md": b"# mine\n", "notes.txt": b"mine\n"}
    (HOME / "README.md").unlink()
    assert (make(1) / "notes.txt").read_text() == "mine\n"


# -- hostile ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../../x", "/abs", "a/b", "..", "a\\0b", "a\\nb", "a b", "-o"])
def test_a_name_that_is_no_plain_one_makes_no_folder(tree, refuses, name):
    folder = tree({"mine.yaml": f'extends: baseline\nname: "{name}"\n'})
    assert "cannot name a recipe: it names a folder" in refuses("submit", "mine.yaml")
    assert os.listdir(folder) == ["mine.yaml"]


@pytest.mark.parametrize(
    "name, told", [("a" * 300, "has 311 characters"), ("a.", "ends in a dot")], ids=["long", "dot"]
)
def test_a_name_that_a_file_system_would_not_take_is_refused(tree, refuses, name, told):
    folder = tree({"mine.yaml": f"extends: baseline\nname: {name}\n"})
    assert f"{told}; give the recipe another `name`" in refuses(
        "submit", "mine.yaml", "--date", DATE
    )
    assert os.listdir(folder) == ["mine.yaml"]


@pytest.mark.parametrize("below", ["../..", "a/../../..", "a\nb", "a b", "a|b"])
def test_a_track_s_folder_does_not_leave_the_root(build, tmp_path, below):
    track = replace(build.composition.track, folder=below)
    moved = replace(build, composition=replace(build.composition, track=track))
    with pytest.raises(ComposeError, match="is no plain name"):
        submission_folder(moved, tmp_path, DATE)


@pytest.mark.parametrize("depth", range(3))
def test_a_link_or_a_file_in_the_folder_s_way_is_refused(make, tmp_path, depth):
    at = [HOME.parent.parent, HOME.parent, HOME][depth]
    at.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "elsewhere").mkdir()
    at.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ComposeError, match=f"^{at}: is a link to another place"):
        make(1)
    assert os.listdir("elsewhere") == []
    at.unlink()
    at.write_text("")
    with pytest.raises(ComposeError, match=f"^{at}: is a file where a folder would go"):
        make(1)


def test_nothing_is_written_through_a_link_in_the_folder(make, tmp_path):
    home = make(1)
    (tmp_path / "mine.md").write_bytes((home / "README.md").read_bytes())
    (home / "README.md").unlink()
    (home / "README.md").symlink_to(tmp_path / "mine.md")
    with pytest.raises(ComposeError, match=r"README.md: is a link; a submission holds files"):
        make(2)


def test_words_of_the_recipe_stay_words(tree, cli):
    evil = "a | b <!-- /pgolf-compose:title --> <script> [x](y) `z`"
    folder = tree({"mine.yaml": ""})
    quoted = json.dumps(f"{evil}\n# more")
    (folder / "mine.yaml").write_text(
        f"extends: baseline\nsubmission: {{name: {quoted}, blurb: {quoted}, author: {quoted}}}\n"
    )
    assert cli("submit", "mine.yaml", "--date", DATE).exit_code == 0
    lines = (folder / HOME / "README.md").read_text().splitlines()
    safe = "a \\| b &lt;!-- /pgolf-compose:title --&gt; &lt;script&gt; \\[x\\](y) \\`z\\` # more"
    assert lines[2:7] == [f"# {safe}", "", safe, "", f"By {safe}."]
    assert about(folder / HOME)["name"] == f"{evil}\n# more"
    assert cli("submit", "mine.yaml", "--date", DATE).exit_code == 0


def test_a_full_disk_leaves_nothing_half_written(build, make):
    """The limit on a file's size stands in for the disk: the readable script exceeds it."""
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(build.readable) - 1, hard))
    try:
        with pytest.raises(ComposeError) as caught:
            make()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    assert str(caught.value) == f"{HOME}/train_gpt_human.py: cannot be written: File too large"
    assert not Path("records").exists()


@pytest.mark.parametrize("failing", range(1, 4))
def test_an_interrupt_between_two_names_puts_the_first_one_back(make, monkeypatch, failing):
    home = make(1)
    before, rename, calls = contents(home), os.replace, []

    def interrupted(source, target):
        calls.append(target)
        if len(calls) == failing:
            raise KeyboardInterrupt if failing % 2 else OSError(errno.EIO, "Input/output error")
        rename(source, target)

    monkeypatch.setattr("pgolf_compose.files.os.replace", interrupted)
    with pytest.raises((KeyboardInterrupt, ComposeError)):
        make(2)
    assert len(calls) >= failing
    assert contents(home) == before
    assert sorted(os.listdir(home)) == sorted(before)


def test_a_machine_that_stops_half_way_is_made_good_by_running_again(make):
    home = make(1)
    old = contents(home)
    make(2)
    new = contents(home)
    changed = [name for name in new if new[name] != old.get(name)]
    assert changed == ["README.md", "curves.svg", "submission.json", "train_seed2.log"]
    late = ["submission.json", "README.md", "curves.svg"]  # from the last that is renamed
    for count in range(1, 4):
        for name in late[:count]:
            (home / name).write_bytes(old[name])
        assert contents(make()) == new


def test_a_log_that_is_still_written_is_not_copied(build, make, monkeypatch):
    path = write_log(Path("logs"), build, 1)
    folder = submission_folder(build, Path(), DATE)
    made = submission(build, folder, DATE, [path])
    with path.open("a") as file:
        file.write("one line more\n")
    with pytest.raises(
        ComposeError, match=r"logs/train_seed1.txt: changed while it was read; wait"
    ):
        write_files(made.files)
    assert not Path("records").exists()


def test_a_disk_that_may_only_be_read_is_told(make, monkeypatch):
    def refused(**_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("pgolf_compose.files.tempfile.mkstemp", refused)
    with pytest.raises(ComposeError, match="cannot be written: Read-only file system"):
        make(1)
    assert os.listdir(".") == ["logs"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(make, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ComposeError, match="cannot be written: Permission denied"):
        make()
    tmp_path.chmod(0o700)
