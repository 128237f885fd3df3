"""The folder that goes into a pull request. Figures come from logs; without logs, none."""

import ast
import ctypes
import functools
import importlib.metadata
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from pgolf_compose import __version__
from pgolf_compose.build import Build
from pgolf_compose.curves import svg
from pgolf_compose.errors import ComposeError
from pgolf_compose.files import Copy, read_text, sha256
from pgolf_compose.flatten import flattened
from pgolf_compose.logs import find_logs
from pgolf_compose.passes.freeze import KEPT
from pgolf_compose.script import Script
from pgolf_compose.submission.about import (
    BUILT_WITH,
    checked,
    digest,
    mapping,
    merged,
    read_about,
    told,
)
from pgolf_compose.submission.checklist import Check, checks, untold
from pgolf_compose.submission.evidence import Results, read_runs, script_name
from pgolf_compose.submission.readme import readme
from pgolf_compose.submission.sections import digests, updated
from pgolf_compose.submission.standing import standing

__all__ = ["Submission", "submission", "submission_folder"]

SEEDS = (42, 314, 999, 1337, 2025)
ABOUT, README, CURVES, RECIPE = "submission.json", "README.md", "curves.svg", "recipe.yaml"
LOGS = "train_seed*.log"
PYPI = {"flash_attn_interface": "flash_attn_3"}
# where the package index lacks a build
WHEELS = {"flash_attn_3": "https://windreamer.github.io/flash-attention3-wheels/cu128_torch291/"}
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
LONGEST = 255  # bytes of a name


@dataclass(frozen=True)
class Submission:
    """A folder's files by path, the last one to be written last, and what there is to say of it."""

    folder: Path
    files: Mapping[Path, bytes | Copy]
    ours: frozenset[Path]  # files that are as they were written here
    results: Results
    checks: tuple[Check, ...]
    remarks: tuple[str, ...]


def submission_folder(build: Build, root: Path, date: str) -> Path:
    """Where the track's contest lays it out, below a root; refuses what would lie elsewhere."""
    track = build.composition.track
    below = track.submission_folder(Path(), date, build.name)
    for part in below.parts:
        wrong = "ends in a dot" if part.endswith(".") else ""
        wrong = f"has {len(part)} characters" if len(part.encode()) > LONGEST else wrong
        wrong = wrong if PLAIN.fullmatch(part) else "is no plain name"
        if wrong:
            short = part if len(part) < 50 else f"{part[:40]}..."
            raise ComposeError(
                f"its folder {short!r} {wrong}; give the recipe another `name`, or the track "
                "another folder",
                build.composition.recipe.path,
            )
    folder = root / below
    for one in (folder, *folder.parents[: len(below.parts) - 1]):
        if one.is_symlink():
            raise ComposeError(
                "is a link to another place; name with -o the folder that it leads to, or take "
                "it away",
                str(one),  # not what it leads to
            )
        if one.exists() and not one.is_dir():
            raise ComposeError("is a file where a folder would go; move it away", one)
    return folder


def submission(
    build: Build,
    folder: Path,
    date: str,
    logs: Sequence[Path] = (),
    force: bool = False,
    against: str = "",
) -> Submission:
    """Every file of the folder, with the results that logs tell and all that a person added.

    `against` is a row of the track's leaderboard, or `best`; if empty, that of the last time.
    Logs that lie in the folder as train_seed<seed>.log count as well; with `force` those in `logs`
    take the place of what is there of their seeds. Raises ComposeError for a
    log that is not of this build and for what somebody has changed since it was written here.
    """
    refuse_measuring(build)
    about = build.composition.recipe.submission
    named = tuple(dict.fromkeys(about.get("seeds") or ()))
    given = every_log(logs)
    known = set(map(os.path.realpath, given))
    there = [one for one in sorted(folder.glob(LOGS)) if os.path.realpath(one) not in known]
    old = old_about(folder / ABOUT)
    built = mapping(old, BUILT_WITH)
    results = read_runs(build, given, named, there, force)
    if not force:
        check_unchanged([run.path for run in results.runs if run.path in there], built)
    if not named and len(results.runs) < build.composition.track.seeds:
        run = [one.seed for one in results.runs]
        left = [seed for seed in SEEDS if seed not in run]
        results = replace(
            results, pending=tuple(left[: build.composition.track.seeds - len(results.runs)])
        )
    found = tuple(checks(build, results))
    remarks = tuple(untold(results, named))
    sources = technique_files(build)
    carried = {name.split("/")[1] for name in sources}
    name = script_name(build)
    files: dict[str, bytes | Copy] = {
        name: build.packed,
        f"{build.composition.host.script}_human.py": build.readable,
        RECIPE: flattened(build.composition, ["techniques"] if sources else []).encode(),
        "requirements.txt": requirements_text(build.script).encode(),
        **sources,
        **{run.name: Copy(run.path, run.sha256) for run in results.runs},
    }
    if results.runs:
        title = str(about.get("name") or build.name)
        names = [f"seed {run.seed}" for run in results.runs]
        files[CURVES] = svg([run.log for run in results.runs], title, names).encode("utf-8")
    against = against or str(built.get("against") or "")
    compared = ""
    if against:
        compared = standing(
            build.composition.track, [run.log for run in results.runs], against, date
        )
    below = build.composition.track.submission_folder(Path(), date, build.name)
    page = readme(build, results, found, remarks, below, command(build), compared, carried)
    page, taken_out = kept_page(folder / README, page, built, force)
    sections = digests(page) | {one: built["readme"][one] for one in taken_out}
    described = description(build, date, results, files)
    described[BUILT_WITH] |= {"readme": sections, **({"against": against} if against else {})}
    if old:
        now = described.pop(BUILT_WITH)
        described = {**merged(described, old, folder / ABOUT, force), BUILT_WITH: now}
    files[README] = page.encode("utf-8")
    files[ABOUT] = checked(described, folder / ABOUT)
    check_links(folder, files)
    return Submission(
        folder,
        {folder / name: data for name, data in files.items()},
        frozenset({folder / README, folder / ABOUT, *unchanged(folder, files, built)}),
        results,
        found,
        (
            *remarks,
            *(f"README.md has no section {one} any more, and gets none" for one in taken_out),
        ),
    )


def refuse_measuring(build: Build) -> None:
    measuring = [one.name for one in build.composition.techniques if one.measuring]
    if measuring:
        raise ComposeError(
            f"a submission cannot hold {', '.join(measuring)}, which is there for measuring; "
            + " ".join(f"--without {name}" for name in measuring),
            build.composition.recipe.path,
        )


def check_links(folder: Path, names: Iterable[str]) -> None:
    """Links in the folder may lead anywhere: nothing is written through them."""
    for path in (folder / name for name in names):
        for one in (path, *path.parents[: len(path.parts) - len(folder.parts) - 1]):
            if one.is_symlink():
                raise ComposeError(
                    "is a link; a submission holds files: put a copy there, or take it away",
                    str(one),
                )


def every_log(given: Sequence[Path]) -> list[Path]:
    """The logs that are named, and those in folders that are."""
    found = []
    for path in given:
        logs = find_logs(path) if path.is_dir() else [path]
        if not logs:
            raise ComposeError("holds no training log", path)
        found += logs
    return list({os.path.realpath(path): path for path in found}.values())


def check_unchanged(logs: Iterable[Path], built: dict) -> None:
    """Refuse logs of our folder that were others when they were put there."""
    known = mapping(built, "sha256")
    for path in logs:
        if path.name in known and sha256(path) != known[path.name]:
            raise ComposeError(
                "has changed since it was put here; put the run's own log back, or give --force "
                "to count it as it is",
                path,
            )


def old_about(path: Path) -> dict:
    return read_about(path) if path.is_file() else {}


def kept_page(path: Path, new: str, built: dict, force: bool) -> tuple[str, list[str]]:
    """The page with all that its author wrote, and the names of sections that were taken out."""
    if not path.is_file():
        return new, []
    return updated(read_text(path), new, mapping(built, "readme"), path, force)


def unchanged(folder: Path, names: Iterable[str], built: dict) -> set[Path]:
    """Files of the folder that are as they were written here: nobody has edited them since."""
    known = mapping(built, "sha256")
    there = ((name, folder / name) for name in names if name in known)
    return {path for name, path in there if path.is_file() and sha256(path) == known[name]}


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


def description(
    build: Build,
    date: str,
    results: Results,
    files: Mapping[str, bytes | Copy],
) -> dict:
    """submission.json: the community's keys; what no log has told is null or left out."""
    about, track = build.composition.recipe.submission, build.composition.track
    runs = results.runs
    pytorch = results.common([run.log.versions.get("pytorch") for run in runs])
    known = {
        "val_loss_std": results.std("val_loss"),
        "val_bpb_std": results.std("val_bpb"),
        "hardware": results.common([run.log.hardware for run in runs]),
        "pytorch_version": pytorch,
    }
    result = {
        "author": about.get("author", ""),
        "github_id": about.get("github_id", ""),
        "name": about.get("name") or build.name,
        "blurb": about.get("blurb", ""),
        "date": date,
        **({"pr": about["pr"]} if about.get("pr") else {}),
        "track": track.name,
        **({"status": status} if (status := results.status) else {}),
        "val_loss": results.mean("val_loss"),
        "val_bpb": results.mean("val_bpb"),
        "bytes_total": whole(results.largest("artifact_bytes")),
        "bytes_code": len(build.packed),
        "seeds": [run.seed for run in runs] or list(results.pending),
        **{key: value for key, value in known.items() if value is not None},
    }
    if runs:
        result["seed_results"] = {str(run.seed): seed_result(run) for run in runs}
    if sources := {one.name: one.source for one in build.composition.techniques if one.source}:
        result["attribution"] = sources
    hashes = {
        name: data.sha256 if isinstance(data, Copy) else sha256(data)
        for name, data in files.items()
    }
    packages = {build.library.provider(one) for one in build.composition.techniques}
    keys = sorted(told(result))
    result[BUILT_WITH] = {
        "pgolf_compose": __version__,
        "command": command(build),
        "packages": sorted(one for one in packages if re.fullmatch(r"\S+ \S+", one)),
        "versions": versions(),
        "sha256": {**hashes, ABOUT: digest(result, keys)},
        "keys": keys,
    }
    return result


def seed_result(run) -> dict:
    named = {
        "val_bpb": run.value("val_bpb"),
        "val_loss": run.value("val_loss"),
        "steps": whole(run.value("steps")),
        "train_time_ms": run.value("train_ms"),
        "eval_time_ms": run.value("eval_ms"),
        "artifact_bytes": whole(run.value("artifact_bytes")),
    }
    return {key: value for key, value in named.items() if value is not None}


def whole(value: Decimal | None) -> int | None:
    return None if value is None else int(value)


def command(build: Build) -> str:
    """What composes the script again from the folder's recipe."""
    more = [f"--keep {name}" for name in sorted(build.keep - KEPT - {*build.composition.host.keep})]
    if build.packer.name != "instant":
        more.append(f"--pack {build.packer.name}")
    return " ".join(["pgolf-compose", RECIPE, *more])


@functools.cache
def versions() -> dict[str, str]:
    """Of what shapes the bytes of a script."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in ("black", "brotli", "python-minifier"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    try:
        library = ctypes.CDLL(importlib.import_module("_lzma").__file__)
        library.lzma_version_string.restype = ctypes.c_char_p
        found["liblzma"] = library.lzma_version_string().decode()
    except (AttributeError, ImportError, OSError, TypeError):
        pass  # built into this Python, which does not tell
    return found


def requirements_text(script: Script) -> str:
    names = requirements(script)
    links = [f"--find-links {WHEELS[name]}\n" for name in names if name in WHEELS]
    return "".join([*links, *(f"{name}\n" for name in names)])


def requirements(script: Script) -> list[str]:
    """What the script imports besides the standard library, by its name on the package index."""
    names = set()
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return sorted(PYPI.get(name, name) for name in names - sys.stdlib_module_names)
