"""submission.json: the community's keys, our schema of them, and what a person added to one."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from pgolf_compose.errors import ComposeError, listed, shown
from pgolf_compose.files import read_text

__all__ = [
    "About",
    "about_schema",
    "as_json",
    "checked",
    "digest",
    "mapping",
    "merged",
    "read_about",
    "told",
]

Digest = Field(pattern="^[0-9a-f]{64}$")
BUILT_WITH = "built_with"
DEEPEST = 50


class Open(BaseModel):
    """People add keys of their own: `compliance`, `gpu`, `notes`."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False, title=None)


class SeedResult(Open):
    """What one seed's log says, with the log's digits."""

    val_bpb: float | None = Field(None, description="bits per byte of the scored artifact")
    val_loss: float | None = Field(None, description="nats per token of the scored artifact")
    steps: NonNegativeInt | None = None
    train_time_ms: float | None = None
    eval_time_ms: float | None = Field(None, description="of all that counts as evaluation")
    artifact_bytes: NonNegativeInt | None = Field(None, description="code and compressed model")


class BuiltWith(Open):
    """What made the folder, and the bytes it made, so that anybody can tell what was changed."""

    pgolf_compose: str
    command: str = Field(description="run in this folder, it writes the script again")
    packages: list[str] = Field([], description="those that brought techniques")
    versions: dict[str, str] = Field({}, description="of what shapes the script's bytes")
    sha256: dict[str, Annotated[str, Digest]] = Field(
        description="of each file, by its name; of this one, of the values that `keys` names"
    )
    against: str | None = Field(None, description="row of the leaderboard in README.md")
    readme: dict[str, Annotated[str, Digest]] = Field(
        {}, description="SHA-256 of each section of README.md"
    )
    keys: list[str] = Field([], description="of this file, those whose values were written here")


class About(Open):
    """submission.json of a folder in records/, by the keys that merged submissions have."""

    author: str = ""
    github_id: str = ""
    name: str
    blurb: str = ""
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    pr: NonNegativeInt | None = Field(None, description="number of the pull request")
    track: str
    status: str | None = Field(
        None, description="pending, while seeds have no log; incomplete, where a run did not end"
    )
    val_loss: float | None = Field(None, description="nats per token, mean over `seeds`")
    val_loss_std: float | None = Field(None, description="sample standard deviation")
    val_bpb: float | None = Field(None, description="bits per byte, mean over `seeds`")
    val_bpb_std: float | None = Field(None, description="sample standard deviation")
    bytes_total: NonNegativeInt | None = Field(
        None, description="code and compressed model, the largest of all seeds"
    )
    bytes_code: NonNegativeInt = Field(description="the script as shipped")
    seeds: list[int] = []
    seed_results: dict[str, SeedResult] = {}
    hardware: str | None = None
    pytorch_version: str | None = None
    attribution: dict[str, str] = Field({}, description="technique: where it comes from")
    built_with: BuiltWith | None = None


def about_schema() -> dict:
    """JSON Schema of a submission.json."""
    schema = About.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def as_json(data: object, indent: int = 0) -> str:
    """JSON text, in which a Decimal has the digits it was read with; short lists on one line."""
    inner = " " * (indent + 2)
    if isinstance(data, Decimal):
        return format(data, "f") if abs(data.adjusted()) < 50 else str(data)
    if isinstance(data, Mapping) and data:
        rows = (f"{inner}{json.dumps(key)}: {as_json(data[key], indent + 2)}" for key in data)
        return "{\n" + ",\n".join(rows) + f"\n{' ' * indent}}}"
    if isinstance(data, list) and any(isinstance(one, Mapping | list) for one in data):
        rows = (inner + as_json(one, indent + 2) for one in data)
        return "[\n" + ",\n".join(rows) + f"\n{' ' * indent}]"
    if isinstance(data, list):
        return f"[{', '.join(map(as_json, data))}]"
    return json.dumps(data)


def checked(about: dict, path: Path) -> bytes:
    """The file's bytes, held against the schema."""
    text = as_json(about) + "\n"
    try:
        About.model_validate_json(text)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ComposeError(f"{name}: {first['msg'].lower()}; mend that value", path) from None
    return text.encode("utf-8")


def read_about(path: Path) -> dict:
    """An existing submission.json with its numbers as Decimals; one that is no JSON is refused."""

    def once(pairs: list[tuple[str, Any]]) -> dict:
        names = [key for key, _ in pairs]
        if twice := sorted({key for key in names if names.count(key) > 1}):
            raise ValueError(f"{listed(twice)} stands there twice")
        return dict(pairs)

    def no_number(word: str):
        raise ValueError(f"{word} is no number of JSON")

    try:
        text = read_text(path).removeprefix("\ufeff")
        data = json.loads(
            text, parse_float=Decimal, object_pairs_hook=once, parse_constant=no_number
        )
        if depth(data) > DEEPEST:
            raise RecursionError
    except json.JSONDecodeError as error:
        reason, line = error.msg.lower(), f":{error.lineno}"
    except ValueError as error:
        reason, line = str(error), ""
    except RecursionError:
        reason, line = "it is nested too deeply", ""
    else:
        if isinstance(data, dict):
            return data
        reason, line = "it holds no keys", ""
    raise ComposeError(
        f"is no JSON to keep keys of: {reason}; mend it, or move it away",
        f"{shown(path)}{line}",
    )


def depth(data: object) -> int:
    """How deep mappings and lists are nested."""
    found, level = 0, [data]
    while level:
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for many in inner if isinstance(many, Iterable) for one in many]
        level = [one for one in level if isinstance(one, dict | list)]
        found += 1
    return found


def mapping(data: dict, key: str) -> dict:
    """What stands under a key, if it is a mapping; else an empty one."""
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def leaves(data: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(keys, value) of everything in nested mappings that is no mapping."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from leaves(value, (*path, key))
    else:
        yield path, data


def empty(value: object) -> bool:
    return value is None or value == "" or value == []


def told(about: dict) -> dict[str, Any]:
    """By dotted key, every value that is known."""
    return {".".join(keys): value for keys, value in leaves(about) if not empty(value)}


def digest(about: dict, keys: list[str]) -> str:
    """SHA-256 of the values that some keys have, as JSON."""
    values = told(about)
    text = as_json({key: values.get(key) for key in sorted(keys)})
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def merged(ours: dict, old: dict, path: Path, force: bool = False) -> dict:
    """Our values, and all others that a person wrote: keys of their own, and what we do not know.

    A value of ours that somebody has changed since is refused unless `force`.
    """
    built = mapping(old, BUILT_WITH)
    old = {key: value for key, value in old.items() if key != BUILT_WITH}
    keys = built.get("keys")
    keys = [one for one in keys if isinstance(one, str)] if isinstance(keys, list) else []
    recorded = mapping(built, "sha256").get(path.name)
    before, now = told(old), told(ours)
    changed = [key for key in keys if before.get(key) != now.get(key)]
    if not force and not keys:
        raise ComposeError(
            "was not written by pgolf-compose and stays as it is; move it away, or write our "
            "keys over it with --force, which keeps all others",
            path,
        )
    if not force and changed and digest(old, keys) != recorded:
        key = changed[0]
        raise ComposeError(
            f"{key} is {as_json(before.get(key))} here and {as_json(now.get(key))} by the recipe "
            "and the logs; somebody has changed the file since it was written: mend the recipe, "
            "or give --force to write it anew",
            path,
        )
    stays = {key for key in before if key not in keys}
    return joined(ours, old, stays)


def joined(ours: dict, old: dict, stays: set[str], path: tuple[str, ...] = ()) -> dict:
    result = {}
    for key in [*ours, *(one for one in old if one not in ours)]:
        here, name = (*path, key), ".".join((*path, key))
        mine, theirs = ours.get(key), old.get(key)
        if isinstance(theirs, dict) and (isinstance(mine, dict) or key not in ours):
            inner = joined(mine or {}, theirs, stays, here)
            if inner or key in ours or not theirs:
                result[key] = inner
        elif key in ours and (not empty(mine) or empty(theirs) or name not in stays):
            result[key] = mine
        elif name in stays or empty(theirs):
            result[key] = theirs
    return result
