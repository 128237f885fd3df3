"""Techniques that README and submission.json claim, against what the script has.

A claim is a technique's usual wording in a sentence, a row or a heading that does not deny it, in a
section that is not about other work. The script shows a technique by the names that our fragments
define or read from the environment, or by the patterns of its claims.yaml. Names are all that is
looked at: a technique that is there but switched off shows in the logs' dump, if at all.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice

from pgolf_compose.audit.audited import ABOUT, Audited
from pgolf_compose.audit.finding import Finding, Outcome, Passed, Place, Unchecked, listed_some
from pgolf_compose.audit.markdown import COMPUTED, Readme
from pgolf_compose.audit.scripts import WORD
from pgolf_compose.audit.words import is_other, pattern, wording
from pgolf_compose.errors import ComposeError
from pgolf_compose.places import read_fragments
from pgolf_compose.plugins import Library
from pgolf_compose.technique import Host, Technique
from pgolf_compose.yaml_file import read_yaml

__all__ = ["check_claims"]

DEFINES = re.compile(r"^[ \t]*(?:def|class)[ \t]+(\w{5,60})", re.M)
ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]")
SENTENCE = re.compile(r"(?<=[.!?;])[ \t]+|(?<=\))[ \t]*,[ \t]+(?=(?:no|not|without)\b)")
THEIRS = re.compile(
    r"\b(?:builds?|built|building|based) (?:up)?on\b|"
    r"#\d+\W{0,3}(?:'s|’s|adds?|added|uses?|used|had|has|introduc|propos|showed|shows)\b",
    re.I,
)
RECIPE = "recipe.yaml"
TEXTS = ("name", "blurb", "technique_summary", "architecture")
MOST = 4_000  # statements that are read
OFF = ("false", "0", "none", "off", "no")


@dataclass(frozen=True)
class Statement:
    """A stretch of text that stands or falls as one, and where each part of it is."""

    text: str
    file: str
    starts: tuple[tuple[int, int, int], ...]  # offset in the text, line, column there
    names: bool = False  # a row of a list of techniques: its first cell names one

    def place(self, offset: int) -> Place:
        at, line, column = max(one for one in self.starts if one[0] <= offset)
        return Place(self.file, line, column + offset - at if column else 0)


def check_claims(audited: Audited) -> Iterator[Outcome]:
    """Each technique that is claimed shows in the script."""
    words = script_words(audited)
    if not words:
        yield Unchecked("techniques claimed", "there is no script that can be read")
        return
    statements = [*islice(in_readme(audited.readme), MOST + 1)] if audited.readme else []
    if len(statements) > MOST:
        where = f"{audited.readme.name} from line {statements.pop().starts[0][1]} on"
        yield Unchecked(f"techniques claimed in {where}", f"only {MOST:,} sentences are read")
    statements += in_json(audited)
    shown, claimed = [], 0
    recipe, own = in_recipe(audited), own_names(audited.library)
    theirs = {word: name for name, names in own.items() for word in names}
    places = [one for one in statements if not denied(one)]
    for name, technique in audited.library.techniques.items():
        found = [place for one in places for place in said(technique, one)]
        if not found:
            continue
        claimed += 1
        if evidence := recipe.get(name) or shows(technique, own[name], words, theirs):
            shown.append(f"{name} ({evidence})")
            if off := switched_off(audited, technique):
                what = f"claims {name}, which every log dumped as {off}"
                yield Finding("warning", found[0], what, "claim what ran, or run what is claimed")
            continue
        loose = wording(technique).loose
        for place in found[:3]:
            what = f"claims {name}, of which {audited.entry} shows nothing"
            todo = "take the claim out, or ship the script that has it"
            yield Finding("warning" if loose else "error", place, what, todo)
    if shown:
        yield Passed(f"techniques: {len(shown)} of {claimed} claimed show: {listed_some(shown, 5)}")


def in_recipe(audited: Audited) -> dict[str, str]:
    """Of our own folders the techniques of recipe.yaml, which check_recipe holds the script to."""
    if not audited.ours or RECIPE not in audited.files:
        return {}
    try:
        document = read_yaml(audited.files[RECIPE].path)
        names = (document.data or {}).get("techniques") or {}
        return {name: f"{RECIPE}:{document.key('techniques', name).line}" for name in names}
    except (ComposeError, AttributeError, TypeError):
        return {}


def script_words(audited: Audited) -> frozenset[str]:
    """All words of the script, of what it reaches, and for our folders of its readable twin."""
    names = [audited.entry, *(one.name for one in audited.siblings if one.name.endswith(".py"))]
    if audited.ours and audited.human in audited.files:
        names.append(audited.human)
    found: set[str] = set()
    for name in filter(None, names):
        found |= audited.opened(name).words
    return frozenset(found)


def shows(technique: Technique, own: frozenset[str], words: frozenset[str], theirs: Mapping) -> str:
    """A word of the script by which it shows a technique, or nothing; `theirs` are others'."""
    if certain := sorted(own & words):
        return certain[0]
    name = technique.name
    wanted = wording(technique).shows or re.compile(re.escape(name), re.I)
    likely = (one for one in sorted(words) if len(one) < 80 and theirs.get(one, name) == name)
    return next((word for word in likely if wanted.search(word)), "")


def own_names(library: Library) -> dict[str, frozenset[str]]:
    """Per technique what only its fragments define, and only it reads of the environment."""
    common = {word for host in library.hosts.values() for word in host_words(host)}
    named = {name: names_of(one) for name, one in library.techniques.items()}
    count = Counter(word for names in named.values() for word in names)
    return {
        name: frozenset(word for word in names if count[word] == 1 and word not in common)
        for name, names in named.items()
    }


def host_words(host: Host) -> set[str]:
    found: set[str] = set()
    for path in host.home.glob("*.py"):
        found.update(WORD.findall(path.read_text(encoding="utf-8")))
    return found


@cache
def names_of(technique: Technique) -> frozenset[str]:
    """What a technique's fragments define, and what it reads of the environment."""
    found = set(technique.switch.split())
    for one in technique.hyperparameters:
        found.update(technique.env(one).split())
    try:
        for fragment in read_fragments(technique):
            found.update(DEFINES.findall(fragment.code))
    except ComposeError:
        pass
    return frozenset(found)


def switched_off(audited: Audited, technique: Technique) -> str:
    """`ema_enabled False`, if every log dumped that."""
    for name in technique.switch.lower().split():
        values = [log.hyperparameters.get(name) for log in audited.logs]
        if values and all(value is not None and value.lower() in OFF for value in values):
            return f"{name} {values[0]}"
    return ""


def in_readme(readme: Readme) -> Iterator[Statement]:
    """Sentences of paragraphs and items, rows, headings; not of sections about other work."""
    block: list = []
    for line in (*readme.lines, None):
        fresh = line is None or line.kind != "text" or ITEM.match(line.text)
        if block and fresh:
            yield from sentences(readme.name, block)
            block = []
        # the sections of ours that compare name techniques that are no longer in
        if line is None or line.mark in COMPUTED or any(map(is_other, line.section)):
            continue
        if line.kind == "text":
            block.append(line)
        elif line.kind in ("row", "heading"):
            own = line.mark == "techniques" or "techniques" in (one.lower() for one in line.section)
            yield Statement(line.text, readme.name, ((0, line.number, 1),), own)


def sentences(file: str, block: list) -> Iterator[Statement]:
    text, starts = "", []
    for line in block:
        starts.append((len(text), line.number, 1))
        text += f"{line.text} "
    # what `submit` writes of a recipe's ancestors tells their titles
    ancestors = block[0].mark == "title" and text.startswith("Builds on ")
    if len(text) > 20_000 or ancestors:
        return
    at = 0
    ends = [*((one.start(), one.end()) for one in SENTENCE.finditer(text)), (len(text), len(text))]
    for end, following in ends:
        before = max(one for one in starts if one[0] <= at)
        inner = [(o - at, line, 1) for o, line, _ in starts if at < o < end]
        yield Statement(text[at:end], file, ((0, before[1], at - before[0] + 1), *inner))
        at = following


def in_json(audited: Audited) -> Iterator[Statement]:
    for key in TEXTS:
        text = audited.values.get(key)
        if isinstance(text, str):
            line = audited.about_at(key).line
            for one in re.split(r"(?<=[.;])\s", text[:4000]):
                yield Statement(one, ABOUT, ((0, line, 0),))


def denied(statement: Statement) -> bool:
    if statement.names and re.match(r"\W{0,4}`\w+`\s{0,40}\|", statement.text):
        return False
    return bool(pattern("negations").search(statement.text) or THEIRS.search(statement.text))


def said(technique: Technique, statement: Statement) -> Iterator[Place]:
    """Where a statement claims a technique: by its usual wordings, or its name in backticks."""
    if statement.names and (found := re.match(r"\W{0,4}`(\w+)`\s{0,40}\|", statement.text)):
        if found[1] == technique.name:  # what else the row says explains it
            yield statement.place(found.start(1))
        return
    for one in wording(technique).says:
        if found := one.search(statement.text):
            yield statement.place(found.start())
            return
    if (at := statement.text.find(f"`{technique.name}`")) >= 0:
        yield statement.place(at)
