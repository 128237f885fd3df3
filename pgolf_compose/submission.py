"""The folder that goes into a pull request. Figures come from logs; without logs, none."""

import ast
import hashlib
import json
import re
import sys
from pathlib import Path

import jinja2

from pgolf_compose import __version__
from pgolf_compose._bundled import ROOT
from pgolf_compose.build import Build
from pgolf_compose.errors import ComposeError
from pgolf_compose.flatten import flattened
from pgolf_compose.report import changes, verdict
from pgolf_compose.script import Script

__all__ = ["submission_files", "submission_folder", "untouched"]

SEEDS = (42, 314, 999)
ABOUT = "submission.json"
PYPI = {"flash_attn_interface": "flash_attn_3"}


def submission_folder(build: Build, root: Path, date: str) -> Path:
    """Where the track's contest lays it out, below a root."""
    return build.composition.track.submission_folder(root, date, build.name)


def submission_files(build: Build, folder: Path, date: str) -> dict[Path, bytes]:
    """Every file of the folder, with results marked pending."""
    measuring = [one.name for one in build.composition.techniques if one.measuring]
    if measuring:
        raise ComposeError(
            f"a submission cannot hold {', '.join(measuring)}, which is there for measuring; "
            + " ".join(f"--without {name}" for name in measuring),
            build.composition.recipe.path,
        )
    about = build.composition.recipe.submission
    seeds = tuple(about.get("seeds") or SEEDS)
    sources = technique_files(build)
    texts = {
        "README.md": readme(build, seeds),
        "recipe.yaml": flattened(build.composition, ["techniques"] if sources else []),
        "requirements.txt": "".join(f"{name}\n" for name in requirements(build.script)),
    }
    files = {name: text.encode("utf-8") for name, text in texts.items()}
    script = build.composition.host.script
    files[f"{script}.py"] = build.packed
    files[f"{script}_human.py"] = build.readable
    files |= sources
    about = description(build, date, seeds)
    hashes = {name: sha256(data) for name, data in {**files, ABOUT: as_json(about)}.items()}
    packages = {build.library.provider(one) for one in build.composition.techniques}
    about["built_with"] = {
        "pgolf_compose": __version__,
        "packages": sorted(one for one in packages if re.fullmatch(r"\S+ \S+", one)),
        "sha256": hashes,
    }
    return {folder / name: data for name, data in {**files, ABOUT: as_json(about)}.items()}


def technique_files(build: Build) -> dict[str, bytes]:
    """The files of techniques that came from a folder: the recipe needs them to compose again."""
    folders = {folder.resolve() for folder in build.composition.recipe.plugins}
    found = {}
    for one in build.composition.techniques:
        if {one.home, one.home.parent} & folders:
            for path in sorted(one.home.iterdir()):
                if path.is_file() and not path.name.startswith((".", "test_")):
                    found[f"techniques/{one.name}/{path.name}"] = path.read_bytes()
    return found


def untouched(folder: Path) -> set[Path]:
    """Files of the folder that are as they were written here: nobody has edited them since."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        hashes = about.pop("built_with")["sha256"]
        there = {name: folder / name for name in hashes if (folder / name).is_file()}
        now = {path: path.read_bytes() for name, path in there.items() if name != ABOUT}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
    now[folder / ABOUT] = as_json(about)
    named = {path.relative_to(folder).as_posix(): path for path in now}
    return {path for name, path in named.items() if sha256(now[path]) == hashes.get(name)}


def as_json(data: dict) -> bytes:
    return (json.dumps(data, indent=2) + "\n").encode("utf-8")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def description(build: Build, date: str, seeds: tuple[int, ...]) -> dict:
    """submission.json: the community's keys; what no log has told is null."""
    about = build.composition.recipe.submission
    return {
        "author": about.get("author", ""),
        "github_id": about.get("github_id", ""),
        "name": about.get("name") or build.name,
        "blurb": about.get("blurb", ""),
        "date": date,
        **({"pr": about["pr"]} if about.get("pr") else {}),
        "track": build.composition.track.name,
        "status": "pending",
        "val_loss": None,
        "val_bpb": None,
        "bytes_total": None,
        "bytes_code": len(build.packed),
        "seeds": list(seeds),
    }


def readme(build: Build, seeds: tuple[int, ...]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "templates" / "submission"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    composition, about = build.composition, build.composition.recipe.submission
    return environment.get_template("README.md.jinja").render(
        title=about.get("name") or build.name,
        blurb=about.get("blurb"),
        seeds=seeds,
        techniques=composition.techniques,
        parent=composition.recipe.parent.name if composition.recipe.parent else "",
        changes=changes(build.parent, composition) if build.parent else (),
        code_bytes=len(build.packed),
        track=composition.track.name,
        limit=composition.track.artifact_bytes,
        version=__version__,
        verdict=verdict(composition),
    )


def requirements(script: Script) -> list[str]:
    """What the script imports besides the standard library, by its name on the package index."""
    names = set()
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return sorted(PYPI.get(name, name) for name in names - sys.stdlib_module_names)
