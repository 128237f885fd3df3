"""Hyperparameters as the README states them, against what the logs dumped when they ran."""

import re
from collections.abc import Iterator

from pgolf_compose.audit.audited import ABOUT, Audited
from pgolf_compose.audit.commands import SETTING, commands
from pgolf_compose.audit.finding import Finding, Outcome, Passed, Place, Unchecked
from pgolf_compose.audit.known import half
from pgolf_compose.audit.words import is_other, pattern, phrases

__all__ = ["check_settings"]

VALUE = r"(\d{1,9}(?:\.\d{1,9})?(?:[eE][-+]?\d{1,2})?)"
NAMED = re.compile(
    rf"(?<![\w.])([A-Za-z][A-Za-z0-9_]{{2,50}})[`*]{{0,3}}\s{{0,2}}[=:]\s{{0,2}}[`*]{{0,3}}{VALUE}(?![\w.]*\w)"
)
ARROW = re.compile(r"→|->|=>|\bto\b|\bfrom\b|\bvs\b|\bwas\b|\binstead\b|\bdefault\b|/|–")


def check_settings(audited: Audited) -> Iterator[Outcome]:
    """No value that the README, its commands or the json state is contradicted by all dumps."""
    dumps = dumped(audited)
    if not dumps:
        why = "no log dumps them" if audited.logs else "there are no logs"
        yield Unchecked("stated hyperparameters", why)
        return
    agreed = 0
    for where, name, text, certain in stated(audited):
        values = dumps[name]
        if any(same(text, value) for value, _ in values):
            agreed += 1
            continue
        if not all(is_number(value) for value, _ in values):
            continue
        value, log = values[0]
        count = f"all {len(values)} logs" if len(values) > 1 else log
        what = f"states {name} {text}; {count} dumped {value}"
        level = "error" if certain else "warning"
        yield Finding(level, where, what, "state what ran, or run what is stated")
    if agreed:
        yield Passed(f"settings: {agreed} stated values are those that the logs dumped")


def dumped(audited: Audited) -> dict[str, list[tuple[str, str]]]:
    """Of each name in lower case, what every log says, and which."""
    found: dict[str, list[tuple[str, str]]] = {}
    for log in audited.logs:
        for key, value in log.hyperparameters.items():
            found.setdefault(key.lower(), []).append((value, audited.name_of(log.path)))
    return found


def same(text: str, value: str) -> bool:
    try:
        stated, ran = float(text), float(value)
    except ValueError:
        return text.lower() == value.lower()
    decimals = len(text.partition(".")[2].partition("e")[0])
    return abs(stated - ran) <= (half(decimals) if decimals else 1e-9) or (
        ran == int(ran) and stated == ran
    )


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def stated(audited: Audited) -> Iterator[tuple[Place, str, str, bool]]:
    """Where, which name of the dump, the value as written, whether it is said by that name."""
    names = dumped(audited)
    readme = audited.readme
    for line in readme.of("text", "row") if readme else ():
        if pattern("elsewhere").search(line.text) or pattern("negations").search(line.text):
            continue
        if any(map(is_other, line.section)):
            continue
        if ARROW.search(line.text):
            continue
        for found in NAMED.finditer(line.text):
            if found[1].lower() in names and found[1].lower() != "seed":
                where = Place(readme.name, line.number, found.start() + 1)
                yield where, found[1].lower(), found[2], True
        yield from said(Place(readme.name, line.number), line.text, names)
    for number, text in commands(readme) if readme else ():
        if "train" not in text or re.search(r"\bfor\b|\$", text):
            continue
        for found in SETTING.finditer(text):
            name = found[1].lower()
            if name in names and name not in ("seed", "run_id") and is_number(found[2]):
                line = number + text.count("\n", 0, found.start())
                yield Place(readme.name, line), name, found[2], False
    for key in ("name", "technique_summary", "blurb", "architecture"):
        text = audited.values.get(key)
        if isinstance(text, str) and not ARROW.search(text[:1000]):
            where = audited.about_at(key)
            yield from said(where, text[:1000], names)


def said(where: Place, text: str, names) -> Iterator[tuple[Place, str, str, bool]]:
    """Values in words: `QK gain 5.25`."""
    for name, spelled in phrases().items():
        if name not in names:
            continue
        for found in spelled.finditer(text):
            value = next(filter(None, found.groups()))
            place = Place(where.file, where.line, found.start() + 1 if where.file != ABOUT else 0)
            yield place, name, value, False
