"""A new contest is data and a host: `second_contest` brings one along, as an installed package would.

Nothing of it is named in pgolf_compose. It is registered by its entry point, in this process.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, write_tree
from test_comparison import results

from pgolf_compose.logs import read_log
from pgolf_compose.plugins import load_library

HERE = ROOT / "tests" / "second_contest"
FIRST, SECOND = (HERE / "recipes" / f"{name}.yaml" for name in ("first", "second"))


@pytest.fixture
def contest(tmp_path, monkeypatch, tree):
    """The package installed: its modules importable, its entry point in metadata."""
    installed = {
        "second_contest-3.1.dist-info": {
            "METADATA": "Metadata-Version: 2.1\nName: second-contest\nVersion: 3.1\n",
            "entry_points.txt": "[pgolf_compose]\nbyte_golf = second_contest\n",
        }
    }
    site = write_tree(tmp_path / "site", installed)
    monkeypatch.syspath_prepend(site)
    monkeypatch.syspath_prepend(ROOT / "tests")
    yield load_library()
    for name in [name for name in sys.modules if name.partition(".")[0] == "second_contest"]:
        del sys.modules[name]


@pytest.fixture
def prose(tree):
    """Real English below data/: what `help()` says of Python's syntax."""
    from pydoc_data.topics import topics

    texts = [topics[name] for name in sorted(topics)]
    train, val = "\n".join(texts[1::3])[:40_000], "\n".join(texts[::3])[:2_000]
    return tree({"data": {"prose": {"train.txt": train, "val.txt": val}}})


def test_the_contest_is_listed_beside_ours(contest, cli):
    assert (
        "byte_golf        the best model of English bytes in 100 kB"
        in cli("list", "--tracks").stdout
    )
    assert cli("list", "witten").stdout.startswith(
        "witten_bell  second-contest 3.1  A context that"
    )
    assert "prose   English text as it is" in cli("list", "--datasets").stdout
    [place] = json.loads(cli("list", "--places", "model.odds", "--json").stdout)
    assert (place["host"], place["kind"], place["where"]) == ("pages", "part", "byte_lm.py")
    rows = json.loads(cli("list", "--leaderboard", "--json").stdout)
    assert [row["row"] for row in rows if row["track"] == "byte_golf"] == [
        "no-context-2026-05-01",
        "PR #7",
    ]
    assert contest.tracks["byte_golf"].rules == {
        "one_pass": "the text is read once, from left to right"
    }


def test_without_the_package_nobody_knows_it(cli, refuses):
    assert "byte_golf" not in cli("list", "--tracks").stdout
    assert "byte_golf is no track. There are 10min_16mb" in refuses(FIRST, "--check")
    for path in (ROOT / "pgolf_compose").rglob("*.*"):
        if path.suffix in (".py", ".yaml"):
            assert not re.search(r"byte_golf|byte_lm|witten_bell", path.read_text()), path


def test_as_a_folder_it_offers_the_same(contest, cli, tree):
    listed = [cli("list", what, "--json").stdout for what in ("--tracks", "--datasets", "--places")]
    scripts = cli(SECOND, "--stdout").stdout_bytes
    assert listed == [
        uninstalled(cli, "list", what, "--json", "--plugins", HERE).stdout
        for what in ("--tracks", "--datasets", "--places")
    ]
    assert uninstalled(cli, SECOND, "--stdout", "--plugins", HERE).stdout_bytes == scripts


def uninstalled(cli, *args):
    """The command where no package of this kind is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("importlib.metadata.entry_points", lambda **_: ())
        return cli(*args)


def test_its_recipe_composes_to_a_script_of_its_own_name(contest, cli, tree):
    folder = tree({})
    told = cli(SECOND).stdout
    assert sorted(path.name for path in (folder / "out" / "second").iterdir()) == [
        "byte_lm.map.json",
        "byte_lm.py",
        "byte_lm_human.py",
    ]
    assert "changes                      + witten_bell" in told and "parameters" not in told
    readable = (folder / "out" / "second" / "byte_lm_human.py").read_text()
    assert "    DATA_DIR=data python byte_lm.py\n" in readable and "torchrun" not in readable
    assert "left = h.witten_bell_weight * len(seen)" in readable
    small = (folder / "out" / "second" / "byte_lm.py").read_text("utf-8", "replace")
    assert len(small) < len(readable) / 2


def test_its_settings_are_checked_and_shown_as_ours_are(contest, cli, refuses):
    assert refuses(FIRST, "--set", "order=9", "--check") == (
        "--set order=9: settings.order is 9; it wants a whole number from 0 to 8\n"
    )
    assert "xsa is for the host script train_gpt; track byte_golf has pages" in refuses(
        FIRST, "--with", "xsa", "--check"
    )
    shown = json.loads(cli("show", SECOND, "--json").stdout)
    assert shown["techniques"] == ["witten_bell"]
    [text] = [one for one in shown["values"] if one["name"] == "text"]
    assert text["value"] == "prose" and text["from"].endswith("first.yaml:3:7")
    assert "rule one_pass" in cli("show", "witten_bell").stdout


def test_its_data_is_checked_by_its_files(contest, cli, refuses, prose):
    assert "prose/val.txt    2,0" in cli("data", "prose").stdout
    (prose / "data" / "prose" / "val.txt").unlink()
    assert refuses("data", "prose") == "data/prose/val.txt: is not there; prose needs it\n"


def test_a_smoke_run_is_refused_where_there_is_no_torch_to_follow(contest, refuses, tree):
    tree({})
    assert "which the host pages does not use; run it at a small size" in refuses(
        "run", FIRST, "--smoke"
    )
    assert "runs in one process; leave out --processes" in refuses(
        "run", FIRST, "--processes", "2", "--data-dir", "."
    )


@pytest.fixture
def runs(contest, cli, prose, monkeypatch):
    """Both recipes, run on real text: one seed by `run`, two more as its script is used alone."""
    found = {}
    for path in (FIRST, SECOND):
        out = prose / "out" / path.stem
        monkeypatch.setenv("SEED", "3")
        monkeypatch.setenv("RUN_ID", "train_seed3")
        result = cli("run", path, "--set", "steps=8")
        assert result.exit_code == 0, result.output
        assert "model.bin" in result.stdout
        for seed in ("1", "2"):
            env = {"SEED": seed, "RUN_ID": f"train_seed{seed}", "DATA_DIR": str(prose / "data")}
            subprocess.run([sys.executable, "byte_lm.py"], cwd=out, env=env, check=True)
        found[path.stem] = [out / "logs" / f"train_seed{seed}.txt" for seed in (3, 1, 2)]
    monkeypatch.delenv("RUN_ID")
    monkeypatch.delenv("SEED")
    return found


def test_it_runs_and_its_logs_are_read_compared_and_submitted(runs, cli, prose):
    first, second = runs["first"], runs["second"]
    log = read_log(first[2])
    assert (log.seed, log.steps, log.complete) == (2, 8, True)
    assert log.metric == "final_json_zlib_roundtrip_exact"
    script = Path("out", "first", "byte_lm.py").stat().st_size
    assert log.bytes_code == script and log.bytes_total == log.bytes_model + script < 100_000
    assert 2 < log.val_bpb < 4 and log.points[-1].step == 8

    against = json.loads(
        results(*second, "--against", "7", "--track", "byte_golf", "--json").stdout
    )
    assert (against["theirs"]["mean"], against["track"]) == (3.4, "byte_golf")
    assert against["difference"]["tokens"] == "of our tokens; theirs are not known"
    assert against["test"]["method"] == "one-sample"
    [verdict] = against["verdicts"]
    assert (verdict["policy"], verdict["met"]) == ("any-better", None)

    assert cli("submit", SECOND, "--date", "2026-05-03").exit_code == 0
    home = Path("entries", "minute", "second-2026-05-03")
    for path in second:
        shutil.copy(path, home / f"{path.stem}.log")
    result = results(home, "--against", "no-context")  # its submission.json names the track
    assert result.exit_code == 0 and "warning" not in result.stdout
    assert "any-better  met: " in result.stdout and "0.01 are asked; p = " in result.stdout
    assert "train_seed3.log" in results(home).stdout

    assert (
        cli("submit", SECOND, "--date", "2026-05-03", "--set", "steps=8", "--force").exit_code == 0
    )
    for options in ((), ("--track", "byte_golf")):
        told = cli("audit", home, *options)
        assert told.exit_code == 0 and "error" not in told.stdout, told.stdout
    told = uninstalled(cli, "audit", home, "--plugins", HERE)
    assert "lines give exactly byte_lm.py, " in told.stdout and told.exit_code == 0, told.stdout
    text = home.joinpath("byte_lm.py").read_bytes()
    home.joinpath("byte_lm.py").write_bytes(text + b"#")
    assert "error: byte_lm.py:" in cli("audit", home).stdout

    each = [word for path in first for word in ("--against", path)]
    both = json.loads(results(*second, *each, "--track", "byte_golf", "--json").stdout)
    assert both["difference"]["bpb"] < 0 and both["difference"]["comparable"] is True
    assert both["test"]["method"] == "Welch"


def test_its_submission_lies_where_the_contest_wants_it(contest, cli, tree):
    folder = tree({})
    assert cli("submit", SECOND, "--date", "2026-05-03").exit_code == 0
    home = folder / "entries" / "minute" / "second-2026-05-03"
    assert {"byte_lm.py", "byte_lm_human.py", "recipe.yaml", "submission.json"} <= {
        path.name for path in home.iterdir()
    }
    about = json.loads((home / "submission.json").read_text())
    assert (
        about["track"] == "byte_golf"
        and about["bytes_code"] == (home / "byte_lm.py").stat().st_size
    )
    again = cli(home / "recipe.yaml", "--stdout").stdout_bytes
    assert again == (home / "byte_lm.py").read_bytes()
