"""What was made before, found again by everything that it depends on."""

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from pgolf_compose._bundled import ROOT

__all__ = ["folder", "key", "recall", "remember"]

KEPT = 200  # results; the oldest go
OURS = ("pgolf_compose", "plugins", "templates", "recipes")
SUFFIXES = (".py", ".yaml", ".txt", ".jinja")
SHAPING = ("black", "brotli", "jinja2", "python-minifier")


def folder() -> Path:
    """Where things that can be made again are kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home).resolve() / "pgolf-compose"


@cache
def tool() -> str:
    """This program: its files, the packages that shape what it writes, the Python under it."""
    told = hashlib.sha256(sys.version.encode())
    for name in SHAPING:
        told.update(f"{name} {version(name)}\n".encode())
    roots = {Path(__file__).parent, *(ROOT / name for name in OURS)}
    for path in sorted(path for root in roots for path in root.rglob("*")):
        if path.suffix in SUFFIXES:
            told.update(f"{path}\0".encode() + path.read_bytes())
    return told.hexdigest()


def key(*parts: object) -> str:
    """A name for the result of this program on `parts`."""
    return hashlib.sha256(json.dumps([tool(), *map(repr, parts)]).encode()).hexdigest()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def recall(name: str) -> dict | None:
    """What was remembered under a key, if the files that it was read from are as they were."""
    try:
        found = json.loads((folder() / "builds" / f"{name}.json").read_text("utf-8"))
        same = all(digest(Path(path)) == was for path, was in found["files"].items())
        return found["result"] if same else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not there, cut short, or of another shape: it is made again


def remember(name: str, result: dict, files: Iterable[Path]) -> None:
    """Keep a result for as long as `files` stay as they are; a full disk is no reason to fail."""
    place = folder() / "builds"
    try:
        read = {str(path.resolve()): digest(path) for path in files}
        place.mkdir(parents=True, exist_ok=True)
        waiting = place / f".{name}.{os.getpid()}"
        waiting.write_text(json.dumps({"files": read, "result": result}), "utf-8")
        os.replace(waiting, place / f"{name}.json")
        kept = sorted(place.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for old in kept[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return
