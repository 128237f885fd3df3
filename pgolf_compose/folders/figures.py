"""A folder's figures by seed: those that the json states beside those that the logs give."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from pgolf_compose.folders.folder import Folder
from pgolf_compose.json_file import Claim
from pgolf_compose.logs import Log

__all__ = [
    "Difference",
    "SeedAgreement",
    "differences",
    "distinct",
    "log_of_seed",
    "mean",
    "rounds_to",
    "score_of",
    "seed_of",
    "seed_rows",
]


@dataclass(frozen=True)
class SeedAgreement:
    """What the json states for a seed beside what its log gives."""

    seed: int
    claim: Claim | None
    log: Log | None
    equal: bool | None  # None: nothing to compare


@dataclass(frozen=True)
class Difference:
    """A figure that the json states for a seed and its log gives otherwise."""

    seed: int
    claim: Claim
    log: Log
    value: Decimal


def score_of(log: Log) -> Decimal | None:
    return Decimal(log.score.text) if log.score and log.score.val_bpb is not None else None


def seed_of(log: Log) -> int | None:
    """A log's seed for the json: its file's name goes before a seed that every script prints."""
    found = re.findall(r"seed[_-]?(\d{1,10})", log.path.stem, re.I)
    return int(found[0]) if found else log.seed


def distinct(logs: Iterable[Log]) -> list[Log]:
    """One log per run; of copies, the one whose name has the seed."""
    runs: dict[tuple, Log] = {}
    for log in logs:
        key = (log.steps, log.train_ms, tuple((s.name, s.text) for s in log.scores))
        if key not in runs or "seed" in log.path.stem:
            runs[key] = log
    return list(runs.values())


def log_of_seed(folder: Folder, runs: list[Log], seed: int) -> Log | None:
    logs = [log for log in runs if seed_of(log) == seed]
    claim = folder.seeds.get(seed, {}).get("val_bpb")
    if claim is not None and len(logs) > 1:
        stated = [log for log in logs if rounds_to(score_of(log), claim)]
        logs = stated or logs
    return logs[0] if len(logs) == 1 else None


def mean(values: Iterable[Decimal]) -> Decimal:
    values = list(values)
    return sum(values) / len(values)


def rounds_to(value: Decimal | None, claim: Claim) -> bool:
    """Whether a value has the claim's digits when rounded to as many."""
    if value is None:
        return False
    step = Decimal(1).scaleb(-claim.digits)
    return any(value.quantize(step, way) == claim.value for way in (ROUND_HALF_UP, ROUND_HALF_EVEN))


def seed_rows(folder: Folder, logs: Iterable[Log]) -> tuple[SeedAgreement, ...]:
    rows, logs = [], list(logs)
    for seed, claims in folder.seeds.items():
        claim = claims.get("val_bpb")
        log = next((log for log in logs if seed_of(log) == seed), None)
        equal = None
        if claim is not None and log is not None:
            equal = rounds_to(score_of(log), claim)
        rows.append(SeedAgreement(seed, claim, log, equal))
    return tuple(rows)


FIGURES = {
    "val_bpb": lambda log: log.score and log.score.text,
    "val_loss": lambda log: log.val_loss,
    "bytes_total": lambda log: log.bytes_total,
    "bytes_code": lambda log: log.bytes_code,
    "bytes_model": lambda log: log.bytes_model,
    "steps": lambda log: log.steps,
    "train_steps": lambda log: log.steps,
    "train_ms": lambda log: log.train_ms,
    "train_time_ms": lambda log: log.train_ms,
    "train_time_s": lambda log: None if log.train_ms is None else Decimal(log.train_ms) / 1000,
}


def differences(folder: Folder) -> list[Difference]:
    """What the json states for its seeds and the seeds' logs give otherwise, to its digits."""
    runs = distinct(log for log in folder.logs if score_of(log) is not None)
    found = []
    for seed, claims in folder.seeds.items():
        log = log_of_seed(folder, runs, seed)
        for key, claim in claims.items():
            value = FIGURES[key](log) if log and key in FIGURES else None
            if value and not rounds_to(Decimal(str(value)), claim):
                found.append(Difference(seed, claim, log, Decimal(str(value))))
    return found
