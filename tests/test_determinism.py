"""The same recipe and version give the same bytes, on every Python and in every process."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from recipe_index import locked

import pgolf_compose
from pgolf_compose.recipe import bundled_recipes

OTHERS = ["3.12", "3.13", "3.14"]
MEASURED = "2026-04-09_SP8192_3LayerRecur_ParResid_QK525_LegalTTT"
HASHES = """
import hashlib, json, sys
import pgolf_compose
found = {}
for name in sys.argv[2:]:
    build = pgolf_compose.compose(name, added=json.loads(sys.argv[1]), allow_noncompliant=True)
    found[name] = {
        kind: hashlib.sha256(data).hexdigest()
        for kind, data in {"readable": build.readable, "minified": build.minified.encode(),
                           "packed": build.packed, "map": build.line_map}.items()
    }
print(json.dumps(found))
"""


def hashes(python: str | Path, *names: str, added=(), env: dict | None = None) -> dict:
    done = subprocess.run(
        [str(python), "-c", HASHES, json.dumps(added), *names],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def measured(python: str | Path = sys.executable, **more) -> dict:
    """The longest script, packed, with its map."""
    return hashes(python, MEASURED, added=["metrics", "init_from_checkpoint"], **more)


@pytest.fixture(scope="module")
def here():
    return measured()


def test_hash_seeds_and_working_folders_change_nothing(here, tmp_path, monkeypatch):
    assert measured(env={"PYTHONHASHSEED": "7"}) == here
    monkeypatch.chdir(tmp_path)
    build = pgolf_compose.compose(MEASURED, added=["metrics", "init_from_checkpoint"])
    assert hashlib.sha256(build.readable).hexdigest() == here[MEASURED]["readable"]


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


@pytest.mark.parametrize("version", OTHERS)
def test_other_pythons_write_the_same_bytes(here, version, tmp_path):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True)
    other = tmp_path / "venv" / "bin" / "python"
    install = [other, "-m", "pip", "install", "-q", "-e", str(ROOT)]
    done = subprocess.run(install, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert measured(other) == here
    for name, found in hashes(other, *bundled_recipes()).items():
        assert found.items() >= locked()[name].items(), name
