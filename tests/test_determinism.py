"""The same recipe and version give the same bytes, on every Python and in every process."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT
from recipe_index import locked
from sets import covering_array

import pgolf_compose
from pgolf_compose.recipe import bundled_recipes

# of those between the oldest and 3.13, and after it, `make test-all` asks
OTHERS = [
    pytest.param("3.12", marks=pytest.mark.exhaustive),
    "3.13",
    pytest.param("3.14", marks=pytest.mark.exhaustive),
]
MEASURED = "2026-04-09_SP8192_3LayerRecur_ParResid_QK525_LegalTTT"
MEASURING = ["metrics", "init_from_checkpoint"]
HASHES = """
import hashlib, json, sys
import pgolf_compose
found = []
for name, added in json.load(sys.stdin):
    build = pgolf_compose.compose(name, added=added, allow_noncompliant=True)
    found.append({
        kind: hashlib.sha256(data).hexdigest()
        for kind, data in {"readable": build.readable, "minified": build.minified.encode(),
                           "packed": build.packed, "map": build.line_map}.items()
    })
print(json.dumps(found))
"""


def hashes(python: str | Path, scripts: list, env: dict | None = None) -> list[dict[str, str]]:
    """Of each recipe with these techniques added."""
    done = subprocess.run(
        [str(python), "-c", HASHES],
        input=json.dumps(scripts),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# the longest recipe, and every technique in one of a few scripts
SCRIPTS = [(MEASURED, MEASURING), *(("baseline", names) for names in covering_array(1))]


@pytest.fixture(scope="module")
def here():
    return hashes(sys.executable, SCRIPTS)


def test_hash_seeds_and_working_folders_change_nothing(here, tmp_path, monkeypatch):
    assert hashes(sys.executable, SCRIPTS[:2], {"PYTHONHASHSEED": "7"}) == here[:2]
    monkeypatch.chdir(tmp_path)
    build = pgolf_compose.compose(MEASURED, added=MEASURING)
    assert hashlib.sha256(build.readable).hexdigest() == here[0]["readable"]


def interpreter(version: str) -> str | None:
    """A Python of that version on this machine: on the path, or among pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"))]
    found += [path] if (path := shutil.which(f"python{version}")) else []
    for python in found:
        done = subprocess.run([python, "-c", "import venv"], capture_output=True)
        if done.returncode == 0:
            return python
    return None


@pytest.fixture(params=OTHERS)
def other(request, tmp_path):
    """Another Python with what pgolf-compose needs to compose, and nothing else."""
    python = interpreter(request.param)
    if python is None:
        pytest.skip(f"no Python {request.param} on this machine")
    subprocess.run([python, "-m", "venv", "--without-pip", tmp_path], check=True)
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    other = tmp_path / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", other, "install", "-q", "--no-compile"]
    done = subprocess.run([*install, *needs], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return other


def test_other_pythons_write_the_same_bytes(here, other):
    assert hashes(other, SCRIPTS) == here


@pytest.mark.exhaustive
def test_other_pythons_write_what_is_locked(other):
    names = [*bundled_recipes()]
    for name, found in zip(names, hashes(other, [(name, []) for name in names]), strict=True):
        assert found.items() >= locked()[name].items(), name
