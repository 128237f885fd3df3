"""What `results` tells of logs and folders: gathered from paths, as rows and as JSON."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgolf_compose.curves import labels
from pgolf_compose.errors import ComposeError, listed, shown
from pgolf_compose.folders import (
    Agreement,
    Difference,
    Folder,
    agreement,
    differences,
    read_folder,
)
from pgolf_compose.logs import Log, Score, find_logs, natural, read_log

__all__ = [
    "Group",
    "blocks",
    "gather",
    "log_json",
    "results_json",
    "rows",
    "status",
    "summaries",
    "warnings",
]

HEADER = (
    "log",
    "seed",
    "metric",
    "val_bpb",
    "val_loss",
    "steps",
    "train s",
    "model",
    "code",
    "total",
    "status",
)


@dataclass(frozen=True)
class Group:
    """The logs of one folder, or those given by themselves."""

    logs: tuple[Log, ...]
    folder: Folder | None = None
    agreement: Agreement | None = None

    @property
    def runs(self) -> tuple[Log, ...]:
        """One log per run, with a score: copies of a log count once."""
        if self.agreement and self.agreement.equal:
            return self.agreement.logs
        found = {}
        for log in self.logs:
            if log.val_bpb is not None:
                found.setdefault((log.seed, log.train_ms, log.score.text), log)
        return tuple(found.values())


def gather(paths: Iterable[Path]) -> tuple[list[Group], list[str]]:
    """What lies under the given paths, and what to tell of the paths themselves.

    A folder stands for its logs, one of several submissions for each of them. A mistake in a path
    is a ComposeError.
    """
    groups, single, told, seen = [], [], [], set()
    for path in paths:
        real = resolved(path)
        if real in seen:
            told.append(f"{shown(path)}: given twice, read once")
            continue
        seen.add(real)
        if not path.is_dir():
            if not path.exists():
                pattern = any(mark in str(path) for mark in "*?[")
                raise ComposeError("matches no file" if pattern else "no such file or folder", path)
            if path.suffix.lower() == ".json":
                raise ComposeError("is JSON, not a log; give its folder, or the log", path)
            single.append(read_log(path))
            continue
        for folder in submissions(path):
            if (inner := resolved(folder)) in seen and inner != real:
                continue
            seen.add(inner)
            found = read_folder(folder)
            told += [str(error) for error in found.unread]
            given = {resolved(log.path) for log in single}
            logs = tuple(log for log in found.logs if resolved(log.path) not in given)
            if not logs and not found.about:
                raise ComposeError("no training log in this folder", folder)
            groups.append(Group(logs, found, agreement(found) if found.about else None))
    single.sort(key=lambda log: natural(log.path))
    return ([Group(tuple(single))] if single else []) + groups, told


def resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise ComposeError(f"cannot be read: {error}", path) from None


def submissions(path: Path) -> list[Path]:
    """The folder, or those below it that hold a submission.json, if it holds none itself."""
    try:
        if (path / "submission.json").exists():
            return [path]
        below = sorted({one.parent for pattern in ("*", "*/*") for one in inside(path, pattern)})
    except OSError as error:
        raise ComposeError(f"cannot be read: {error.strerror}", path) from None
    own = {log.parent for log in find_logs(path)}
    return below if below and path not in own else [path]


def inside(path: Path, pattern: str) -> list[Path]:
    return list(path.glob(f"{pattern}/submission.json"))


def status(log: Log) -> str:
    return "complete" if log.complete else log.reason


def rows(logs: Sequence[Log]) -> list[tuple[str, ...]]:
    """The table's rows, the header first; a figure that a log lacks is a dash."""
    found = [HEADER]
    for log, label in zip(logs, labels(logs), strict=True):
        score = log.score
        found.append(
            (
                label,
                "-" if log.seed is None else str(log.seed) + "?" * (log.seed_from == "file name"),
                log.metric or "-",
                score.text if score and score.text else "-",
                "-" if log.val_loss is None else f"{log.val_loss:.{max(score.digits, 4)}f}",
                counted(log.steps),
                "-" if log.train_ms is None else f"{log.train_ms / 1000:,.1f}",
                counted(log.bytes_model),
                counted(log.bytes_code),
                counted(log.bytes_total),
                status(log),
            )
        )
    return found


def blocks(table: Sequence[tuple[str, ...]]) -> list[str]:
    """The same rows for a narrow terminal: a log's figures below its name, those it has."""
    lines = []
    header, *logs = table
    for row in logs:
        of = dict(zip(header, row, strict=True))
        groups = (
            (f"seed {of['seed']}", of["metric"]),
            (f"val_bpb {of['val_bpb']}", f"val_loss {of['val_loss']}"),
            (f"steps {of['steps']}", f"train s {of['train s']}"),
            (f"model {of['model']}", f"code {of['code']}", f"total {of['total']}"),
        )
        lines += [f"{of['log']}: {of['status']}"]
        for group in groups:
            told = [text for text in group if text != "-" and not text.endswith(" -")]
            lines += ["  " + "  ".join(told)] if told else []
    return lines


def counted(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def summaries(group: Group) -> list[str]:
    """Mean and deviation over a folder's runs, and whether its json agrees."""
    told = []
    runs = group.runs
    if len(runs) > 1:
        values = [log.val_bpb for log in runs]
        told.append(
            f"mean of {len(runs)} runs: val_bpb {statistics.fmean(values):.6f}, "
            f"sample standard deviation {statistics.stdev(values):.6f}"
        )
    if group.agreement is not None:
        word = "agrees" if group.agreement.equal else "does not agree"
        if group.agreement.kind in ("no claim", "no log"):
            word = "is not checked"
        told.append(f"submission.json {word}: {group.agreement.text}")
    if group.folder is not None:
        told += [f"submission.json:{odd.line}: {odd.text}" for odd in group.folder.oddities]
    return told


def warnings(group: Group) -> list[str]:
    """What a reader should know before trusting a figure."""
    told = []
    names = labels(group.logs)
    for log, label in zip(group.logs, names, strict=True):
        if (better := log.better) is not None:
            told.append(
                f"{label}: {log.metric} {log.score.text} counts, as it was printed last; "
                f"{better.name} {better.text} at line {better.line} was better"
            )
        told += [f"{label}: {note}" for note in log.notes]
    if group.folder is not None:
        told += [
            f"submission.json:{one.claim.line}: {one.claim.key} is {one.claim.text}, "
            f"{one.log.path.name} gives {one.value.normalize():f}"
            for one in differences(group.folder)
            if not stated(one, group.agreement)
        ]
    runs = group.runs
    seeds = [log.seed for log in runs if log.seed is not None]
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        told.append(f"several runs of seed {', '.join(map(str, twice))}")
    metrics = list(dict.fromkeys(log.metric for log in runs))
    if len(metrics) > 1:
        told.append(f"runs end with different evaluations: {', '.join(metrics)}")
    machines = list(dict.fromkeys(log.hardware for log in runs if log.hardware))
    if len(machines) > 1:
        told.append(f"runs on different hardware: {', '.join(machines)}")
    codes = list(dict.fromkeys(log.bytes_code for log in runs if log.bytes_code is not None))
    if len(codes) > 1:
        told.append(f"the runs' scripts differ: {listed(f'{c:,}' for c in codes)} bytes")
    return told


def stated(one: Difference, found: Agreement | None) -> bool:
    """Whether the report on the json's score says a difference already."""
    said = f"for seed {one.seed} the json says {one.claim.text}"
    return found is not None and one.claim.key.endswith("val_bpb") and said in found.text


# -- json ---------------------------------------------------------------------------------------


def score_json(score: Score) -> dict:
    return {
        "name": score.name,
        "val_bpb": score.val_bpb,
        "val_loss": score.val_loss,
        "line": score.line,
        "seconds": score.seconds,
        "digits": score.digits,
        "final": score.final,
        "repeats": score.repeats,
    }


def log_json(log: Log) -> dict:
    """A log as `results --json` prints it."""
    return {
        "path": str(log.path),
        "seed": log.seed,
        "seed_from": log.seed_from,
        "val_bpb": log.val_bpb,
        "val_loss": log.val_loss,
        "metric": log.metric or None,
        "line": log.score.line if log.score else None,
        "steps": log.steps,
        "total_steps": log.total_steps,
        "train_ms": log.train_ms,
        "eval_seconds": log.eval_seconds,
        "bytes_model": log.bytes_model,
        "bytes_code": log.bytes_code,
        "bytes_total": log.bytes_total,
        "complete": log.complete,
        "reason": log.reason,
        "world_size": log.world_size,
        "hardware": log.hardware,
        "versions": log.versions,
        "notes": list(log.notes),
        "scores": [score_json(score) for score in log.scores],
    }


def results_json(groups: Sequence[Group]) -> dict:
    """All that `results --json` prints: `logs` in the table's order, `folders` with their means."""
    folders = []
    for group in groups:
        if group.folder is None:
            continue
        values = [log.val_bpb for log in group.runs]
        found = group.agreement
        folders.append(
            {
                "path": str(group.folder.path),
                "logs": [str(log.path) for log in group.logs],
                "mean": statistics.fmean(values) if values else None,
                "std": statistics.stdev(values) if len(values) > 1 else None,
                "states": float(found.claim.value) if found and found.claim else None,
                "agrees": found.equal if found else None,
                "kind": found.kind if found else None,
                "reason": found.text if found else None,
                "warnings": warnings(group),
            }
        )
    logs = [log_json(log) for group in groups for log in group.logs]
    return {"logs": logs, "folders": folders}
