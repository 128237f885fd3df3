"""Which files a folder has, lacks, and had better not have."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from pgolf_compose.audit.audited import ABOUT, DEPTH, MOST, README, Audited
from pgolf_compose.audit.finding import Finding, Outcome, Passed, Place, Unchecked, listed_some
from pgolf_compose.audit.scripts import WEIGHTS

__all__ = ["check_files", "check_script"]

LEFTOVERS = {
    "__pycache__",
    ".DS_Store",
    ".git",
    ".ipynb_checkpoints",
    "wandb",
    ".venv",
    "Thumbs.db",
}
LARGE = 1 << 20  # bytes; a pull request is no place for more, but for logs


def check_files(audited: Audited) -> Iterator[Outcome]:
    """README.md, submission.json, a script and a log are there, and nothing leads elsewhere."""
    names = audited.files
    readme = next((name for name in names if name.lower() == "readme.md"), "")
    if not readme:
        yield missing(README, "is missing", "write what the submission does and what it scores")
    elif readme != README:
        yield Finding(
            "warning", Place(readme), "is not spelled README.md", f"rename it to {README}"
        )
    if ABOUT not in names:
        yield missing(ABOUT, "is missing", "add name, github_id, val_bpb and date as JSON")
    if not audited.entry:
        scripts = [name for name in names if name.endswith(".py")]
        told = (
            f"several scripts could be: {listed_some(scripts)}" if scripts else "no script is here"
        )
        yield missing(
            audited.main, f"is missing; {told}", f"name the one that is run {audited.main}"
        )
    elif audited.entry != audited.main:
        what = f"is taken for the script that is run: there is no {audited.main}"
        yield Finding("warning", Place(audited.entry), what, f"rename it to {audited.main}")
    if not audited.logs:
        yield missing("", "there is no training log", "add the log of each run, as it was printed")
    for name, entry in audited.entries.items():
        yield from unexpected(audited, name, entry)
    for name in names:
        if reason := audited.unreadable(name):
            yield Finding("error", Place(name), f"cannot be read: {reason}", "make it readable")
    if audited.cut:
        why = f"there are more than {MOST:,} files, or folders deeper than {DEPTH}"
        yield Unchecked("every file", why)
    if readme and ABOUT in names and audited.entry and audited.logs:
        logs = [audited.name_of(log.path) for log in audited.logs]
        yield Passed(f"files: {README}, {ABOUT}, {audited.entry}, {listed_some(logs)}")


def missing(name: str, what: str, todo: str) -> Finding:
    return Finding("error", Place(name or "."), what, todo)


def unexpected(audited: Audited, name: str, entry) -> Iterator[Finding]:
    path, where = PurePosixPath(name), Place(name)
    if entry.kind == "link":
        target = entry.leads
        out = PurePosixPath(target).is_absolute() or ".." in PurePosixPath(target).parts
        told = "leads out of the folder" if out else "is a link"
        todo = "put the file itself here"
        yield Finding("error", where, f"{told}, to {target!r}: it was not followed", todo)
    elif entry.kind == "special":
        yield Finding("error", where, "is a pipe, a device or the like", "delete it")
    elif path.name in LEFTOVERS:
        yield Finding("warning", where, "is left over from running or editing", "delete it")
    elif entry.kind == "folder":
        if path.name == audited.main or name in (ABOUT, README):
            yield Finding("error", where, "is a folder, not a file", "put the file here")
    elif path.suffix in WEIGHTS:
        told = f"looks like weights or data ({entry.size:,} bytes)"
        todo = "delete it: the script makes the artifact; a table that it reads counts as bytes"
        yield Finding("warning", where, told, todo)
    elif path.name == ABOUT and "/" in name:
        told = "is a second submission within this one"
        yield Finding("error", where, told, "one pull request adds one folder: move it out")
    elif entry.size > LARGE and path.suffix not in (".log", ".txt"):
        told = f"has {entry.size:,} bytes, much for a pull request"
        yield Finding("note", where, told, "leave it out if nobody needs it")


def check_script(audited: Audited) -> Iterator[Outcome]:
    """Every script compiles, as does what a packed one holds; none is run."""
    if not audited.entry:
        yield Unchecked("the script", "there is none")
        return
    reached = [one.name for one in audited.siblings if one.name.endswith(".py")]
    shown = [name for name in (audited.human,) if name in audited.files]
    for name in dict.fromkeys([audited.entry, *reached, *shown]):
        yield from compiles(audited, name)
    others = [
        name
        for name in audited.files
        if name.endswith((".py", ".cpp", ".cu", ".c", ".h", ".so"))
        and name not in (audited.entry, audited.human, *(one.name for one in audited.siblings))
        and not name.startswith("techniques/")
    ]
    for name in others:
        what = f"is not reached by {audited.entry}, as far as its text tells; it is not counted"
        yield Finding(
            "note", Place(name), what, "leave out what nobody runs, or say what it is for"
        )


def compiles(audited: Audited, name: str) -> Iterator[Outcome]:
    script = audited.opened(name)
    inside = f"inside {', '.join(script.layers)}: " if script.packed else ""
    where = Place(name) if script.packed else Place(name, script.line)
    line = f" in its line {script.line}" if script.packed and script.line else ""
    if script.tree is None:
        told = f"{inside}{script.problem}{line}"
        todo = f"mend it: `python -m py_compile {name}` must pass"
        yield Finding("error", where, told, todo)
    elif script.newer:
        told = (
            f"{inside}this Python says {script.problem!r}{line}; f-strings of Python 3.12 are why"
        )
        yield Finding("note", where, told, "run and check it with Python 3.12 or later")
    if script.tree is not None:
        wrap = f"packed in {', '.join(script.layers)}" if script.packed else "plain"
        lines = script.text.count("\n") + 1
        yield Passed(
            f"script: {name} compiles; {wrap}, {script.size:,} bytes, {lines:,} lines of text"
        )
