import hashlib
import json
import shutil

from conftest import technique

from pgolf_compose import __version__


def test_the_folder_holds_what_a_pull_request_needs_with_results_pending(tree, cli):
    folder = tree(
        {
            "mine.yaml": "extends: baseline\nsettings: {matrix_lr: 0.02}\n"
            "submission: {name: Slower matrices, author: me, seeds: [1, 2]}\n"
        }
    )
    result = cli("submit", "mine.yaml", "--date", "2026-04-05")
    home = folder / "records" / "track_10min_16mb" / "2026-04-05_mine"
    assert "\nresults are pending: no log has been read\n" in result.stdout
    assert sorted(path.name for path in home.iterdir()) == [
        "README.md",
        "recipe.yaml",
        "requirements.txt",
        "submission.json",
        "train_gpt.py",
        "train_gpt_human.py",
    ]
    script = (home / "train_gpt.py").read_bytes()
    about = json.loads((home / "submission.json").read_text())
    assert about == {
        "author": "me",
        "github_id": "",
        "name": "Slower matrices",
        "blurb": "",
        "date": "2026-04-05",
        "track": "10min_16mb",
        "status": "pending",
        "val_loss": None,
        "val_bpb": None,
        "bytes_total": None,
        "bytes_code": len(script),
        "seeds": [1, 2],
        "built_with": about["built_with"],
    }
    built = about["built_with"]
    assert (built["pgolf_compose"], built["packages"]) == (__version__, [])
    for name in ("train_gpt.py", "train_gpt_human.py", "README.md", "recipe.yaml"):
        assert built["sha256"][name] == hashlib.sha256((home / name).read_bytes()).hexdigest()
    readme = (home / "README.md").read_text()
    assert "| 1 | pending | pending | pending | pending |" in readme
    assert "- `matrix_lr 0.04 -> 0.02`" in readme
    assert (
        "SEED=2 RUN_ID=train_seed2 torchrun --standalone --nproc_per_node=8 train_gpt.py" in readme
    )
    assert "val_bpb:" not in readme and "- [x]" not in readme
    assert (home / "requirements.txt").read_text() == "numpy\nsentencepiece\ntorch\n"


def test_the_folder_s_recipe_composes_to_the_folder_s_script(tree, cli):
    folder = tree({"mine.yaml": "extends: baseline\nsettings: {matrix_lr: 0.02}\n"})
    cli("submit", "mine.yaml", "--date", "2026-04-05", "-o", "here")
    home = folder / "here" / "records" / "track_10min_16mb" / "2026-04-05_mine"
    recomposed = cli(home / "recipe.yaml", "--stdout").stdout_bytes
    assert recomposed == (home / "train_gpt.py").read_bytes()


def test_what_is_there_for_measuring_is_not_submitted(tree, refuses):
    folder = tree({"mine.yaml": "extends: baseline\ntechniques: {metrics: }\n"})
    assert refuses("submit", "mine.yaml") == (
        "mine.yaml: a submission cannot hold metrics, which is there for measuring; "
        "--without metrics\n"
    )
    assert not (folder / "records").exists()


def test_a_submission_that_a_person_wrote_on_is_left_alone(tree, cli, refuses):
    folder = tree({})
    cli("submit", "baseline", "--date", "2026-04-05")
    home = folder / "records" / "track_10min_16mb" / "2026-04-05_baseline"
    assert cli("submit", "baseline", "--date", "2026-04-05").exit_code == 0  # nobody wrote on it
    assert cli("submit", "baseline", "--date", "2026-04-05", "--set", "seed=1").exit_code == 0
    (home / "README.md").write_text("# mine\n")
    before = {path: path.read_bytes() for path in home.iterdir()}
    assert "README.md: was not written by pgolf-compose and stays as it is" in refuses(
        "submit", "baseline", "--date", "2026-04-05"
    )
    assert {path: path.read_bytes() for path in home.iterdir()} == before


def test_a_date_is_a_date(refuses):
    for date in ("yesterday", "20260405", "2026-W01-1"):
        assert refuses("submit", "baseline", "--date", date) == (
            f"{date} is no date; write it like 2026-04-05\n"
        )


def test_techniques_of_a_folder_travel_with_the_recipe_that_needs_them(tree, cli):
    mine = technique("# @fill main.finish\nlog(h, 1)\n")
    folder = tree({"mine": {"a": mine}, "x.yaml": "plugins: [mine]\ntechniques: {a: }\n"})
    assert cli("submit", "x.yaml", "--date", "2026-04-05").exit_code == 0
    home = folder / "records" / "track_10min_16mb" / "2026-04-05_x"
    shutil.rmtree(folder / "mine")
    assert (
        cli(home / "recipe.yaml", "--stdout").stdout_bytes == (home / "train_gpt.py").read_bytes()
    )
