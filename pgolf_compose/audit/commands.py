"""What a README tells a reader to run and to open: whether it is there and does what it says."""

import re
import shlex
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote

from pgolf_compose.audit.audited import Audited
from pgolf_compose.audit.finding import Finding, Outcome, Passed, Place, Unchecked
from pgolf_compose.audit.markdown import Line
from pgolf_compose.audit.words import pattern
from pgolf_compose.errors import did_you_mean

__all__ = ["check_commands", "check_paths"]

LINK = re.compile(r"!?\[[^\]\n]{0,300}\]\(\s{0,3}<?([^()\s<>]{1,300})>?(?:\s[^()\n]{0,200})?\)")
TICKED = re.compile(r"`([^`\n]{1,200})`")
LOGGED = re.compile(r"(?<![\w/.\-])([\w\-]{1,80}\.(?:log|txt)):\d{1,7}\b")
SETTING = re.compile(r"([A-Z][A-Z0-9_]{1,60})=(\S*)")
SHELLS = {"", "bash", "sh", "shell", "console", "zsh", "terminal", "text"}
RUNNERS = re.compile(r"(?:python[\d.]*|torchrun|accelerate|\$PYTHON|\$\{PYTHON\})$")
# what runs make, or where data lies: not there before
MADE = re.compile(
    r"^(?:\.{0,2}/)?(?:data|logs?|out|output|outputs|runs|checkpoints|workspace|tmp|cache|dev)\b|"
    r"\.(?:pt|ptz|pth|bin|model|npz|safetensors|ckpt|zst|br|xz)$|[$*{}<>]|^/|^~|^\.\./|\.\.\."
)
# a name in backticks that looks like a file of the folder
NAMED = re.compile(
    r"^(?:\./)?[\w\-]+(?:/[\w.\-]+)*\.(?:py|log|json|md|txt|yaml|yml|sh|cpp|svg|png)$"
)
PARENT_SCRIPTS = re.compile(r"^(?:\./)?(?:data/)?(?:cached_challenge_fineweb|download\w*)\.py$")


def check_paths(audited: Audited) -> Iterator[Outcome]:
    """Every link and every file that the README names is in the folder."""
    readme = audited.readme
    if readme is None:
        yield Unchecked("the README's paths", "there is no README")
        return
    good = 0
    for line in readme.of("text", "row", "header", "heading"):
        names = [(found[1], found.start(1), True) for found in LINK.finditer(line.text)]
        for found in TICKED.finditer(line.text):
            if NAMED.match(found[1]) and "(" not in found[1]:
                names.append((found[1], found.start(1), False))
        for found in LOGGED.finditer(line.text):
            names.append((found[1], found.start(1), True))
        for name, at, link in names:
            told = absent(audited, name, link, line)
            good += told == ""
            if told:
                level = "error" if link else "warning"
                yield Finding(
                    level,
                    Place(readme.name, line.number, at + 1),
                    f"{told[:200]} is not in this folder",
                    "add the file, or mend the name",
                )
    if good:
        yield Passed(f"{readme.name}: {good} names of files, and each is there")


def absent(audited: Audited, name: str, link: bool, line: Line) -> str | None:
    """A path that is not there; nothing for one that is, None for what is no path of the folder."""
    target = unquote(name).partition("#")[0].partition("?")[0].removeprefix("./")
    if not target or re.match(r"[a-z][a-z0-9+.\-]{1,20}:", name, re.I) or target.startswith("//"):
        return None
    if target.startswith(("/", "../")) or MADE.search(target):
        return None
    if target.rstrip("/") in audited.entries:
        return ""
    if link:
        return target
    # elsewhere: other folders' files are often named, by their paths or beside a pull request
    if "/" in target or pattern("elsewhere").search(line.text):
        return None
    if pattern("negations").search(line.text) or PARENT_SCRIPTS.match(target):
        return None
    return target


def check_commands(audited: Audited) -> Iterator[Outcome]:
    """Commands run scripts that are there, with names of the environment that these read."""
    readme = audited.readme
    if readme is None:
        yield Unchecked("the README's commands", "there is no README")
        return
    seen = 0
    for number, text in commands(readme):
        seen += 1
        yield from command(audited, number, text)
    if seen:
        yield Passed(f"{readme.name}: {seen} lines of commands looked at")
    else:
        yield Unchecked("the README's commands", "it gives none")


def commands(readme) -> Iterator[tuple[int, str]]:
    """Command lines with the line they begin at; those continued by a backslash are one."""
    waiting, start, last = "", 0, 0
    for line in readme.of("code"):
        if line.language.split(" ")[0] not in SHELLS:
            continue
        if waiting and line.number != last + 1:
            yield start, waiting
            waiting = ""
        text = line.text.strip().removeprefix("$ ")
        start = start if waiting else line.number
        waiting, last = f"{waiting}{text}", line.number
        if waiting.endswith("\\") and len(waiting) < 8_000:
            waiting = f"{waiting[:-1].rstrip()} \n"
            continue
        if is_command(waiting):
            yield start, waiting
        waiting = ""
    if waiting and is_command(waiting):
        yield start, waiting


def is_command(text: str) -> bool:
    first = text.lstrip("# ").split(None, 1)
    if not first or text.startswith("#"):
        return False
    return bool(
        SETTING.match(text)
        or re.match(r"(?:export|env|python[\d.]*|torchrun|pip[\d.]*|uv|bash|sh|cd|for|do)\b", text)
        or re.search(r"\b(?:python3?|torchrun)\s", text)
    )


def command(audited: Audited, start: int, text: str) -> Iterator[Finding]:
    """One command; `text` has a newline where a line was continued."""
    at, words = start, []
    for part in text.split("\n"):
        for word in split(part):
            words.append((word, at))
        at += 1
    scripts = []
    for n, (word, line) in enumerate(words):
        before = {one for one, _ in words[:n]}
        if word.endswith(".py") and any(RUNNERS.search(one) for one in before):
            if word.removeprefix("./") not in audited.files:
                if not elsewhere(audited, word):
                    near = did_you_mean(word, [one for one in audited.files if one.endswith(".py")])
                    near = near and f".{near}"
                    yield lacking(audited, line, f"runs {word}, which is not in this folder{near}")
            else:
                scripts.append(word.removeprefix("./"))
        previous = words[n - 1][0] if n else ""
        if previous in ("-r", "--requirement") and not MADE.search(word):
            name = word.removeprefix("./")
            if name not in audited.files and "/" not in name:
                yield lacking(audited, line, f"installs {word}, which is not in this folder")
    if scripts or all(SETTING.fullmatch(w) or w == "export" for w, _ in words):
        yield from unread(audited, words, scripts)


def split(text: str) -> list[str]:
    text = text.partition(" #")[0]
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def elsewhere(audited: Audited, word: str) -> bool:
    """A script of the contest's repository, or one behind a path that leads out of the folder."""
    path = PurePosixPath(word)
    if MADE.search(word) or PARENT_SCRIPTS.match(word):
        return True
    # records/<track>/<folder>/train_gpt.py, from the root of the repository
    if "records" in path.parts and path.name in audited.files:
        return True
    return len(path.parts) > 1 and path.parts[0] not in {
        name.partition("/")[0] for name in audited.entries
    }


def lacking(audited: Audited, line: int, what: str) -> Finding:
    return Finding("error", Place(audited.readme.name, line), what, "add it, or mend the command")


def unread(audited: Audited, words: list, scripts: list[str]) -> Iterator[Finding]:
    names = [name for name in scripts or [audited.entry] if name in audited.files]
    opened = [audited.opened(name) for name in names]
    opened += [audited.opened(one.name) for one in audited.siblings if one.name.endswith(".py")]
    if not opened or any(not one.words for one in opened):
        return
    for word, line in words:
        found = SETTING.fullmatch(word)
        if not found or pattern("environment").fullmatch(found[1]):
            continue
        if not any(one.reads(found[1]) for one in opened):
            used = {two for one in opened for two in one.words if two.isupper() and "_" in two}
            near = did_you_mean(found[1], used)
            near = f".{near}" if near else ""
            what = f"sets {found[1]}, which {' and '.join(names)} never reads{near}"
            todo = "leave it out: it changes nothing"
            yield Finding("warning", Place(audited.readme.name, line), what, todo)
