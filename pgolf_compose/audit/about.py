"""submission.json: its grammar, its keys, and every number of it that a log could contain."""

import datetime
import re
from collections.abc import Iterator
from decimal import Decimal

from pgolf_compose.audit.audited import ABOUT, Audited
from pgolf_compose.audit.finding import Finding, Outcome, Passed, Place, Unchecked, listed_some
from pgolf_compose.audit.json_text import BadJson
from pgolf_compose.audit.known import Known, Numbers, match

__all__ = ["check_about", "check_agreement", "check_promises"]

# what stands for the same thing in merged folders
REQUIRED = {
    "author": ("author", "authors", "name"),
    "github_id": ("github_id", "github", "github_username", "author_github"),
    "name": ("name", "title", "run_name", "submission_name"),
    "date": ("date",),
    "val_bpb": ("val_bpb", "mean_val_bpb", "val_bpb_mean", "final_val_bpb"),
}


def check_about(audited: Audited) -> Iterator[Outcome]:
    """It is a JSON mapping without doubtful places, and has the keys that are asked for."""
    if ABOUT not in audited.files:
        yield Unchecked(ABOUT, "there is none")
        return
    document = audited.about_or_error
    if isinstance(document, BadJson):
        where = Place(ABOUT, document.line, document.column)
        yield Finding("error", where, f"is no JSON: {document.message}", "mend it")
        return
    for path, first, second in document.twice:
        told = f"the key {path[-1]!r} stands here again; the one in line {first} is lost"
        yield Finding("error", Place(ABOUT, second), told, "keep one of the two")
    for word, line in document.strange:
        told = f"{word} is no JSON, though Python reads it"
        yield Finding("error", Place(ABOUT, line), told, "write a number, or null")
    if not isinstance(document.value, dict):
        told = f"holds {kind(document.value)}, not a mapping of keys"
        yield Finding("error", Place(ABOUT, 1), told, 'begin with {"name": ...')
        return
    yield from keys(audited, document)


def kind(value: object) -> str:
    kinds = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def keys(audited: Audited, document) -> Iterator[Outcome]:
    values, bad = audited.values, False
    for name, spellings in REQUIRED.items():
        found = next((key for key in spellings if values.get(key) not in (None, "")), "")
        if not found and audited.folder and name == "val_bpb" and audited.folder.val_bpb:
            continue
        if not found:
            bad = True
            there = next((key for key in spellings if key in values), "")
            told = f"{there or name} is {'empty' if there else 'missing'}"
            level = "error" if name == "val_bpb" else "warning"
            yield Finding(level, Place(ABOUT, document.line(there)), told, f'fill in "{name}"')
        elif name == "val_bpb" and not is_number(values[found]):
            bad = True
            told = f"{found} is {kind(values[found])}, not a number"
            yield Finding("error", Place(ABOUT, document.line(found)), told, "write a bare number")
    date = values.get("date")
    if isinstance(date, str) and not is_date(date):
        bad = True
        told = f"{date[:40]!r} is no date"
        yield Finding("warning", Place(ABOUT, document.line("date")), told, "write 2026-04-05")
    if not bad:
        yield Passed(f"{ABOUT}: {len(values)} keys, with {', '.join(REQUIRED)}")


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_date(text: str) -> bool:
    try:
        datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return False
    return True
