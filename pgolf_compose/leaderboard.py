"""What has been reached on a track, and what counts as better: rows and policies, both YAML."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_origin, get_type_hints

import pydantic

from pgolf_compose.errors import ComposeError, did_you_mean, listed
from pgolf_compose.schema import Strict, problems
from pgolf_compose.statistics import Summary, summary
from pgolf_compose.tracks import Track
from pgolf_compose.yaml_file import Document, read_yaml

__all__ = [
    "Entry",
    "Policy",
    "best_before",
    "find_entry",
    "is_date",
    "read_leaderboard",
    "read_policies",
]


Above = Annotated[float, pydantic.Field(gt=0)]
Least = Annotated[float, pydantic.Field(ge=0)]
Count = Annotated[int, pydantic.Field(ge=1)]
Chance = Annotated[float, pydantic.Field(gt=0, lt=1)]


@dataclass(frozen=True)
class Entry:
    """A row: what a submission claims, and the bits per byte of its runs where they are known."""

    date: str
    name: str
    val_bpb: Above
    source: str
    pr: int | None = None
    folder: str = ""
    std: Least | None = None  # as published
    seeds: tuple[float, ...] = ()  # a score each
    runs: Count | None = None  # of a published mean
    val_loss: Above | None = None  # nats per token
    left_out: str = ""  # why it is no record
    note: str = ""

    @property
    def label(self) -> str:
        return f"PR #{self.pr}" if self.pr else self.folder or self.name

    @property
    def summary(self) -> Summary:
        """What its runs come to, or where they are not known, what it published."""
        return (
            summary(self.seeds) if self.seeds else Summary(self.val_bpb, self.std, self.runs or 1)
        )


@dataclass(frozen=True)
class Policy:
    """What has to be shown for a new record; what a policy does not ask is None or zero."""

    name: str
    summary: str
    since: str  # the day it came up
    source: str
    min_difference: Least = 0.0
    unit: Literal["bpb", "nats_per_byte", "nats_per_token"] = "bpb"
    reading: str = ""  # of a text that leaves the unit open
    p: Chance | None = None  # one-sided; a p below it is asked
    min_seeds: Count = 1
    chronological: bool = False  # held against the best row before a submission's date
    waived: str = ""  # what the policy excepts


@cache
def model_of(kind: type) -> type[pydantic.BaseModel]:
    """The pydantic model of a dataclass, as YAML writes it: lists for tuples, no name of a file."""
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for one in fields(kind):
        hint = list[Above] if get_origin(hints[one.name]) is tuple else hints[one.name]
        default = [] if one.default == () else one.default
        found[one.name] = (hint, ... if one.default is MISSING else default)
    if kind is Policy:
        del found["name"]
    return pydantic.create_model(kind.__name__, __base__=Strict, **found)


def checked(kind: type, data: object, document: Document, keys: tuple = ()) -> dict:
    """The keyword arguments of an Entry or a Policy. Raises ComposeError with the place."""
    if not isinstance(data, dict):
        raise ComposeError("wants `key: value` lines", document.where(*keys))
    model = model_of(kind)
    for inside, problem, wanted in sorted(
        problems(model, data), key=lambda one: one[1] != "unknown"
    ):
        key = ".".join(map(str, inside))
        if problem == "unknown":
            near = (
                did_you_mean(key, model.model_fields)
                or f" The keys are {listed(model.model_fields)}."
            )
            raise ComposeError(f"{key} is no key of this.{near}", document.key(*keys, *inside))
        if inside[0] not in data:
            raise ComposeError(f"{key} is missing", document.where(*keys))
        raise ComposeError(f"{key} wants {wanted}", document.where(*keys, *inside))
    for key in ("date", "since"):
        if key in data and not is_date(data[key]):
            raise ComposeError(
                f"{data[key]} is no date; write it like 2026-04-05", document.where(*keys, key)
            )
    found = {key: value for key, value in data.items() if value is not None}
    return found | {"seeds": tuple(found["seeds"])} if found.get("seeds") else found


def is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def read_leaderboard(path: Path | None) -> list[Entry]:
    """The rows of a file, earliest first; no file, no rows."""
    if path is None:
        return []
    document = read_yaml(path)
    if not isinstance(document.data, list):
        raise ComposeError("a leaderboard is a list of rows", document.where())
    rows = [Entry(**checked(Entry, one, document, (n,))) for n, one in enumerate(document.data)]
    return sorted(rows, key=lambda row: (row.date, row.pr or 0))


def read_policies(folder: Path | None) -> dict[str, Policy]:
    """The policies of a folder by name, earliest first."""
    found = []
    for path in sorted(folder.glob("*.yaml")) if folder else []:
        document = read_yaml(path)
        found.append(Policy(name=path.stem, **checked(Policy, document.data, document)))
    return {one.name: one for one in sorted(found, key=lambda one: (one.since, one.name))}


def best_before(rows: Sequence[Entry], date: str) -> Entry | None:
    """The lowest mean of the rows from before a day; who came first on one day is not known."""
    before = [row for row in rows if row.date < date and not row.left_out]
    return min(before, key=lambda row: row.summary.mean, default=None)


def find_entry(rows: Sequence[Entry], word: str, track: Track) -> Entry:
    """The row meant by `pr1493`, `1493`, `PR #1493`, or a folder's name or the beginning of it."""
    request = re.fullmatch(r"(?:pr)?\s*#?(\d+)", word, re.IGNORECASE)
    found = [row for row in rows if request and row.pr == int(request[1])]
    found = found or [row for row in rows if word and row.folder == word]
    found = found or [row for row in rows if word and row.folder.startswith(word)]
    if len(found) == 1:
        return found[0]
    if found:
        names = listed(sorted(row.folder or row.label for row in found), "or")
        raise ComposeError(f"{word} could be {names}; write more of the folder's name")
    if not rows:
        raise ComposeError(f"track {track.name} has no leaderboard: name a log or a folder")
    near = did_you_mean(word, [row.folder for row in rows if row.folder])
    near = near or f" `pgolf-compose list --leaderboard` shows the rows of {track.name}."
    raise ComposeError(f"{word} is no row of the leaderboard, and no log or folder.{near}")
