import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from conftest import ROOT, technique, write_tree

import pgolf_compose
from pgolf_compose import ComposeError
from pgolf_compose.plugins import load_library

LOUD = technique(
    '# @fill main.finish\nlog(h, f"volume {h.loud_volume}")\n',
    """
    hyperparameters=(Hyperparameter("volume", 11, "of it"),), source="arXiv:1"
""".strip(),
)


def test_a_folder_named_on_the_command_line_is_a_library(tree, cli):
    folder = tree({"mine": {"loud": LOUD}})
    result = cli("baseline", "--with", "loud", "--plugins", "mine", "--readable", "--stdout")
    assert 'log(h, f"volume {h.loud_volume}")' in result.stdout
    assert "loud  A technique of a test. [arXiv:1]" in result.stdout
    assert "loud" in cli("list", "--plugins", folder / "mine").stdout


def test_one_technique_can_be_named_by_its_own_folder(tree, cli):
    tree({"loud": LOUD})
    assert cli("baseline", "--with", "loud", "--plugins", "loud", "--check").exit_code == 0


def test_a_recipe_names_its_folders_relative_to_itself(tree, cli):
    tree({"deep": {"mine": {"loud": LOUD}, "x.yaml": "plugins: [mine]\ntechniques: {loud: }\n"}})
    result = cli("deep/x.yaml", "--readable", "--stdout")
    assert "loud_volume" in result.stdout, result.stderr


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> Path:
    """A virtual environment with a package of techniques really installed in it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    write_tree(
        folder / "package",
        {
            "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "pgolf-loud"
version = "2.5"

[project.entry-points.pgolf_compose]
loud = "loud_tricks.loud:technique"
more = "loud_tricks.more"

[tool.hatch.build.targets.wheel]
packages = ["loud_tricks"]
""",
            "loud_tricks": {
                "__init__.py": "",
                "loud": LOUD,
                "more.py": """
from pgolf_compose import Dataset, Track, hookimpl


@hookimpl
def register_datasets():
    return [Dataset("shouts", "all capitals", 256)]


@hookimpl
def register_tracks():
    return [Track("short", "a minute", artifact_bytes=1000)]
""",
            },
        },
    )
    python = new_environment(folder / "venv", [ROOT])
    install(python, folder / "package")
    return python


def new_environment(folder: Path, seen: list[Path]) -> Path:
    """The Python of a new environment that sees what this one has, and the folders `seen`."""
    venv.create(folder, with_pip=True)
    [site] = (folder / "lib").glob("python*/site-packages")
    here = [path for path in sys.path if "site-packages" in path]
    (site / "here.pth").write_text("".join(f"{path}\n" for path in [*here, *map(str, seen)]))
    return folder / "bin" / "python"


def install(python: Path, package: Path) -> None:
    command = [python, "-m", "pip", "install", "-q", "--no-deps", package]
    done = subprocess.run([*command, "--no-build-isolation"], capture_output=True, text=True)
    if done.returncode:  # hatchling is not among the packages here: build in isolation
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def outside(python: Path, *args: str) -> subprocess.CompletedProcess:
    command = [python, "-m", "pgolf_compose", *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=python.parent)


def test_an_installed_package_can_do_all_that_a_built_in_can(elsewhere):
    listed = outside(elsewhere, "list").stdout
    assert "loud" in listed and "pgolf-loud 2.5" in listed
    script = outside(elsewhere, "baseline", "--with", "loud", "--readable", "--stdout")
    assert 'log(h, f"volume {h.loud_volume}")' in script.stdout, script.stderr
    assert "shouts" in outside(elsewhere, "list", "--datasets").stdout
    assert "short" in outside(elsewhere, "list", "--tracks").stdout


def test_an_installed_wheel_composes_what_the_checkout_composes(tmp_path, cli):
    ignored = shutil.ignore_patterns(".*", "out", "data", "__pycache__")
    shutil.copytree(ROOT, tmp_path / "source", ignore=ignored)
    python = new_environment(tmp_path / "venv", [])
    install(python, tmp_path / "source")
    shutil.rmtree(tmp_path / "source")
    installed = outside(python, "baseline", "--with", "metrics", "--readable", "--stdout")
    assert installed.stdout == cli("baseline", "--with", "metrics", "--readable", "--stdout").stdout
    for listed in ([], ["--tracks"], ["--leaderboard"]):
        assert outside(python, "list", *listed).stdout == cli("list", *listed).stdout
    assert outside(python, "submit", "baseline", "-o", tmp_path / "pr").returncode == 0
    assert outside(python, "baseline", "--check").returncode == 0


def test_one_plugin_may_offer_several_techniques(tree, cli):
    several = """
from pgolf_compose import Technique, hookimpl
from . import one, two


class Both(Technique):
    @hookimpl
    def register_techniques(self):
        return [one.technique, two.technique]


technique = Both(__name__)
"""
    parts = {
        "both": {"__init__.py": several, "one": LOUD, "two": technique("# @fill main.setup\n1\n")}
    }
    tree({"mine": parts})
    with_mine = json.loads(cli("list", "--json", "--plugins", "mine").stdout)
    without = [row["name"] for row in json.loads(cli("list", "--json").stdout)]
    assert [row["name"] for row in with_mine] == sorted([*without, "one", "two"])


def test_a_technique_knows_its_folder_however_many_are_loaded(tree):
    folder = tree({"one": {"a": LOUD}, "two": {"a": LOUD}})
    first, second = (load_library([folder / name]) for name in ("one", "two"))
    assert first.techniques["a"].home == folder / "one" / "a"
    assert second.techniques["a"].home == folder / "two" / "a"


def test_a_folder_of_ours_may_be_named_as_well(cli):
    assert cli("baseline", "--check", "--plugins", ROOT / "plugins").exit_code == 0
    assert cli("baseline", "--check", "--plugins", ROOT / "plugins" / "metrics").exit_code == 0


def test_order_does_not_depend_on_registration(tree):
    folder = tree({"one": {"b": LOUD}, "two": {"a": LOUD}})
    first = load_library([folder / "one", folder / "two"])
    second = load_library([folder / "two", folder / "one"])
    assert list(first.techniques) == list(second.techniques) == sorted(first.techniques)


INIT = "mine/a/__init__.py"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "mine: holds no technique; one is a folder with __init__.py and fragments.py"),
        (
            {"a": {"__init__.py": '"""A."""\n\nimport nothing_of_this_name\n'}},
            f"{INIT}:3: this plugin cannot be imported: ModuleNotFoundError: "
            "No module named 'nothing_of_this_name'",
        ),
        (
            {"a": {"__init__.py": '"""A."""\n\n1 / 0\n'}},
            f"{INIT}:3: this plugin cannot be imported: ZeroDivisionError: division by zero",
        ),
        (
            {"a": {"__init__.py": "def f(:\n"}},
            f"{INIT}:1:7: this plugin cannot be imported: SyntaxError: invalid syntax",
        ),
        (
            {"a": {"__init__.py": "import sys\nsys.exit(3)\n"}},
            f"{INIT}:2: this plugin cannot be imported: SystemExit: 3",
        ),
        (
            {"a": {"__init__.py": "technique = 3\n"}},
            f"{INIT}:1: declares no technique; write `technique = Technique(__name__, ...)`",
        ),
        (
            {"A-b": LOUD},
            "mine/A-b: 'A-b' cannot be a name: lower-case letters, digits and _ only",
        ),
        (
            {"a": technique("", "hyperparameters=(Hyperparameter('n', 1, 'x'))")},
            f"{INIT}:5: this plugin cannot be imported: TypeError: hyperparameters is a "
            "Hyperparameter, not a tuple",
        ),
        (
            {"a": technique("", "requires=['x']")},
            f"{INIT}:5: this plugin cannot be imported: TypeError: requires is a list, not a Mapping",
        ),
        (
            {"a": technique("", "hyperparameters=(Hyperparameter('n', 9, 'x', maximum=8),)")},
            f"{INIT}:5: this plugin cannot be imported: TypeError: Hyperparameter 'n': "
            "its default is not a whole number, at most 8",
        ),
        (
            {"a": technique("", "hyperparameters=(Hyperparameter('sl ope', 9, 'x'),)")},
            f"{INIT}:5: this plugin cannot be imported: TypeError: Hyperparameter 'sl ope': "
            "its name is not like last_n",
        ),
        (
            {"a": technique("", "hyperparameters=(Hyperparameter('n', 9, 'x\\ny'),)")},
            f"{INIT}:5: this plugin cannot be imported: TypeError: Hyperparameter 'n': "
            "its help is not one line of text",
        ),
        (
            {"metrics": LOUD},
            "mine/metrics: metrics is there already, from pgolf-compose; rename one",
        ),
        (
            {
                "a": {
                    "__init__.py": "from pgolf_compose import Technique, hookimpl\n\n\n"
                    "class Mine(Technique):\n    @hookimpl\n"
                    "    def register_tehcniques(self):\n        return []\n\n\n"
                    "technique = Mine(__name__)\n"
                }
            },
            "mine/a: plugin a does not fit the hooks: unknown hook 'register_tehcniques' in plugin",
        ),
        (
            {
                "a": {
                    "__init__.py": "from pgolf_compose import Technique, hookimpl\n\n\n"
                    "class Mine(Technique):\n    @hookimpl\n"
                    "    def register_tracks(self):\n        return [1 / 0]\n\n\n"
                    "technique = Mine(__name__)\n"
                }
            },
            f"{INIT}:7: register_tracks of plugin a raises ZeroDivisionError: division by zero",
        ),
        (
            {"a": {"__init__.py": LOUD["__init__.py"]}},
            "mine/a/fragments.py: there is no such file",
        ),
    ],
)
def test_what_is_wrong_with_a_plugin_is_one_line(tree, files, message):
    folder = tree({"mine": files})
    with pytest.raises(ComposeError) as caught:
        pgolf_compose.compose("baseline", added=list(files), plugins=[folder / "mine"])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_told(refuses):
    assert refuses("list", "--plugins", "nowhere") == "nowhere: no such folder of plugins\n"


def test_built_ins_need_no_network_or_torch():
    code = "import sys; from pgolf_compose.cli import main; main(['list'], standalone_mode=False)"
    code += "; print([m for m in ('torch', 'black', 'pydantic', 'jinja2') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
