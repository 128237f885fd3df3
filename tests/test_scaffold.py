import subprocess
import sys

import pytest
from conftest import ROOT, SMALL, run_script

import pgolf_compose


def test_a_new_technique_works_and_its_own_test_passes(tree, cli, short):
    folder = tree({})
    result = cli("new", "leaky_mlp")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:3] == [
        "plugins/leaky_mlp/__init__.py",
        "plugins/leaky_mlp/fragments.py",
        "plugins/leaky_mlp/test_leaky_mlp.py",
    ]
    pytest_run = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "plugins/leaky_mlp",
    ]
    done = subprocess.run(pytest_run, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    build = pgolf_compose.compose("baseline", added=["leaky_mlp"], plugins=[folder / "plugins"])
    ran = run_script(build.packed_at(SMALL), folder / "run", DATA_DIR=str(short))
    assert ran.exit_code == 0, ran.stderr


def test_it_changes_one_line_of_the_forward_pass(tree, cli):
    tree({})
    cli("new", "leaky_mlp")
    result = cli("diff", "baseline", "baseline", "--with", "leaky_mlp", "--plugins", "plugins")
    assert [line for line in result.stdout.splitlines() if "hidden = F" in line] == [
        "          -        hidden = F.relu(self.fc(x)).square()",
        "leaky_mlp +        hidden = F.leaky_relu(self.fc(x), self.leaky_mlp_slope).square()",
    ]


def test_a_new_recipe_extends_another_and_composes(tree, cli):
    folder = tree({})
    assert cli("new", "mine.yaml", "--from", "base").stdout.startswith("mine.yaml\n")
    assert cli("mine.yaml", "--check").exit_code == 0
    assert cli("new", "deep/yours.yaml", "--from", "mine.yaml").exit_code == 0
    assert "extends: ../mine.yaml\n" in (folder / "deep" / "yours.yaml").read_text()
    assert cli("deep/yours.yaml", "--check").exit_code == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["Leaky-MLP"],
            "'Leaky-MLP' cannot name a technique: lower-case letters, digits and _ only, "
            "as in parallel_residual\n",
        ),
        (["here"], "plugins/here: is there already; choose another name\n"),
        (["metrics"], "there is a technique metrics already; choose another name\n"),
        (["x.yaml", "--from", "baseline"], "x.yaml: is there already; choose another name\n"),
        (["y.yaml", "--from", "basline"], "there is no recipe basline. Did you mean baseline?\n"),
    ],
)
def test_nothing_that_exists_is_touched(tree, refuses, args, message):
    folder = tree({"plugins": {"here": {"keep.txt": ""}}, "x.yaml": "# mine\n"})
    assert refuses("new", *args) == message
    assert (folder / "x.yaml").read_text() == "# mine\n"
    assert not (folder / "y.yaml").exists()


def test_the_checkout_s_own_folder_is_where_techniques_go():
    assert (ROOT / "plugins" / "metrics" / "fragments.py").is_file()
