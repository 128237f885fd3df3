"""A submission's folder as a value: what its submission.json states, and its logs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pgolf_compose.errors import ComposeError
from pgolf_compose.json_file import Claim, Oddity, read_json
from pgolf_compose.logs import Log, find_logs, read_log

__all__ = ["Folder", "read_folder"]

# the community's spellings, the plainest first
SPELLINGS = {
    "val_bpb": ("val_bpb", "mean_val_bpb", "val_bpb_mean", "mean_bpb", "bpb", "final_val_bpb"),
    "val_loss": (
        "val_loss",
        "mean_val_loss",
        "val_loss_mean",
        "val_loss_nats",
        "mean_val_loss_nats",
    ),
    "bytes_total": (
        "bytes_total",
        "total_bytes",
        "artifact_bytes",
        "artifact_size_bytes",
        "submission_bytes",
        "artifact_bytes_max",
        "artifact_bytes_mean",
    ),
    "bytes_code": ("bytes_code", "code_bytes", "code_size_bytes", "code_size"),
    "bytes_model": ("bytes_model", "model_bytes"),
}
NAMES = {spelling: name for name, spellings in SPELLINGS.items() for spelling in spellings}
SEED_TABLES = ("seed_results", "seeds", "per_seed", "seed_scores", "results_per_seed", "results")
SEED_KEY = re.compile(r"(?:seed[_ ]?)?(\d{1,10})")


@dataclass(frozen=True)
class Folder:
    """A submission's folder; a headline is None where the json does not state it."""

    path: Path
    about: dict
    claims: tuple[Claim, ...] = ()
    val_bpb: Claim | None = None
    val_loss: Claim | None = None
    bytes_total: Claim | None = None
    bytes_code: Claim | None = None
    seeds: dict[int, dict[str, Claim]] = field(default_factory=dict)
    named_seeds: tuple[int, ...] = ()  # in the json's order
    logs: tuple[Log, ...] = ()
    oddities: tuple[Oddity, ...] = ()  # of submission.json
    unread: tuple[ComposeError, ...] = ()  # logs that could not be


def read_folder(path: Path, links: bool = True) -> Folder:
    """What a folder holds; ComposeError if its submission.json is none.

    Logs that are links are read if `links`.
    """
    path = Path(path)
    if not path.is_dir():
        raise ComposeError("is no folder", path)
    logs, unread = [], []
    for one in find_logs(path, links):
        try:
            logs.append(read_log(one))
        except ComposeError as error:
            unread.append(error)
    found = Folder(path, {}, logs=tuple(logs), unread=tuple(unread))
    about = path / "submission.json"
    if not about.exists() and not about.is_symlink():
        return found
    file = read_json(about)
    if not isinstance(file.data, dict):
        kind = {list: "a list", str: "text"}.get(type(file.data), "a single value")
        raise ComposeError(f"is {kind}, not an object with val_bpb, name and so on", about)
    by_key = {claim.key: claim for claim in file.claims}
    oddities = list(file.oddities)
    for name in ("val_bpb", "val_loss", "bytes_total"):
        value = file.data.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            oddities.append(Oddity(file.lines[name], f"{name} is no number"))
    headlines = {
        name: next((by_key[key] for key in spellings if key in by_key), None)
        for name, spellings in SPELLINGS.items()
        if name != "bytes_model"
    }
    seeds = seed_claims(file.data, by_key)
    return Folder(
        path,
        file.data,
        file.claims,
        **headlines,
        seeds=seeds,
        named_seeds=named_seeds(file.data, seeds),
        logs=tuple(logs),
        oddities=tuple(oddities),
        unread=tuple(unread),
    )


def seed_claims(about: dict, by_key: dict[str, Claim]) -> dict[int, dict[str, Claim]]:
    """Per seed: `seed_results: {"42": {...}}`, `[{"seed": 42, ...}]` or lists beside `seeds`."""
    found: dict[int, dict[str, Claim]] = {}

    def keep(seed: int, name: str, claim: Claim | None) -> None:
        if claim is not None:
            found.setdefault(seed, {}).setdefault(NAMES.get(name, name), claim)

    for table in SEED_TABLES:
        value = about.get(table)
        if isinstance(value, dict):
            for key, inner in value.items():
                if match := SEED_KEY.fullmatch(key):
                    seed = int(match[1])
                    keep(seed, "val_bpb", by_key.get(f"{table}.{key}"))
                    for name in inner if isinstance(inner, dict) else ():
                        keep(seed, name, by_key.get(f"{table}.{key}.{name}"))
        elif isinstance(value, list):
            for place, inner in enumerate(value):
                if isinstance(inner, dict) and whole(inner.get("seed")):
                    for name in inner:
                        if name != "seed":
                            keep(inner["seed"], name, by_key.get(f"{table}.{place}.{name}"))
    listed_seeds = about.get("seeds")
    if isinstance(listed_seeds, list) and all(map(whole, listed_seeds)):
        for table in ("seed_scores", "val_bpb_per_seed", "val_bpbs", "scores"):
            values = about.get(table)
            if isinstance(values, list) and len(values) == len(listed_seeds):
                for place, seed in enumerate(listed_seeds):
                    keep(seed, "val_bpb", by_key.get(f"{table}.{place}"))
    return found


def whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def named_seeds(about: dict, seeds: Iterable[int]) -> tuple[int, ...]:
    value = about.get("seeds")
    if isinstance(value, list):
        return tuple(dict.fromkeys(filter(whole, value)))
    if seeds:
        return tuple(seeds)
    return (about["seed"],) if whole(about.get("seed")) else ()
