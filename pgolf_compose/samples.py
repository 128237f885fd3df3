"""Which runs count, and what has to be known of them before their mean is believed."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgolf_compose.errors import ComposeError, listed, shown
from pgolf_compose.folders import Claim, Folder
from pgolf_compose.leaderboard import Entry, is_date
from pgolf_compose.logs import Log
from pgolf_compose.statistics import Summary, mean, summary
from pgolf_compose.yaml_file import read_yaml

__all__ = ["Sample", "sample_of_entry", "sample_of_logs"]

# hyperparameters that name a run, not what it computes
OF_A_RUN = {"seed", "run_id", "run_name", "logfile", "log_file", "rank", "local_rank"}
NAMES_OF_FILES = ("_path", "_dir", "_file", "_files", "_folder")
ABOUT = "submission.json"
MOST_TOLD = 6  # of differences, names, seeds
LARGEST_RECIPE = 1_000_000  # bytes


@dataclass(frozen=True)
class Sample:
    """One side of a comparison: its runs, or what somebody published of theirs.

    `tokens` is what one bit per byte comes to in nats per token: bytes per token times ln 2.
    """

    name: str
    summary: Summary
    values: tuple[float, ...] = ()  # bits per byte of each run that counts
    seeds: tuple[int | None, ...] = ()
    tokens: float | None = None
    date: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    folder: str = ""  # of a row


def sample_of_entry(entry: Entry) -> Sample:
    """A row of the leaderboard; its mean is that of its runs, where they are known."""
    known = entry.summary
    notes = [f"no record: {entry.left_out}"] if entry.left_out else []
    if abs(known.mean - entry.val_bpb) > 1e-4:
        notes.append(f"claims {entry.val_bpb:.5f}, its runs have a mean of {known.mean:.5f}")
    if entry.note:
        notes.append(entry.note)
    return Sample(
        name=f"{entry.label} of {entry.date}",
        summary=known,
        values=entry.seeds,
        tokens=per_bit(entry.val_loss, known.mean),
        date=entry.date,
        notes=tuple(notes),
        folder=entry.folder,
    )


def sample_of_logs(
    logs: Sequence[Log], folders: Sequence[Folder] = (), beside: Iterable[Path] = ()
) -> Sample:
    """The runs of some logs. `folders` tell what was claimed of them, `beside` what lies there too.

    A log counts once, if it is complete and its run is no copy of another. Of several runs of one
    seed that a folder claims, the claimed one counts; otherwise the worst. Of a folder that names
    its seeds, no others count. Raises ComposeError where none counts.
    """
    warnings: list[str] = []
    runs = different(finished(logs, warnings), warnings)
    counted = one_of_each_seed(named(runs, folders, warnings), folders, warnings)
    if not counted:
        where = folders[0].path if folders else logs[0].path if logs else None
        why = f": {'; '.join(warnings)}" if warnings else ""
        raise ComposeError(f"there is no complete log with a score to compare{why}", where)
    scores = [log.score for log in counted]
    values = tuple(score.val_bpb for score in scores)
    losses = [score.val_loss if finite(score.val_loss) else None for score in scores]
    tokens = None if None in losses else per_bit(mean(losses), mean(values))
    warnings += [*unlike(counted), *chosen(counted, values, folders, [*beside])]
    if len(values) > 1 and len(set(values)) == 1:
        warnings.append("all runs have one score, to every digit: different seeds never do")
    return Sample(
        name=listed(dict.fromkeys(shown(one.path) for one in folders))
        or listed(log.path.name for log in counted),
        summary=summary(values),
        values=values,
        seeds=tuple(log.seed for log in counted),
        tokens=tokens,
        date=max(map(date_of, folders), default=""),
        warnings=tuple(warnings),
    )


def per_bit(loss: float | None, bpb: float) -> float | None:
    """Nats per token for one bit per byte; None where either is no score."""
    return loss / bpb if loss and bpb > 0 else None


def finished(logs: Sequence[Log], warnings: list[str]) -> list[Log]:
    """The logs with a score of the compressed model; why the others are left out."""
    found = []
    for log in logs:
        if log.complete and finite(log.val_bpb):
            found.append(log)
        else:
            told = "its score is no number" if log.val_bpb is not None else "it has no score"
            why = log.reason if not log.complete else told
            warnings.append(f"{log.path.name} is left out: {why or 'it is not complete'}")
    return found


def finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def different(logs: Sequence[Log], warnings: list[str]) -> list[Log]:
    """Each run once: copies of a file, and logs that print the same figures of the same seed."""
    found: dict[object, Log] = {}
    for log in sorted(logs, key=lambda log: (log.path.stem == "train", log.path.as_posix())):
        figures = (log.seed, log.steps, log.train_ms, log.score.val_bpb, log.score.val_loss)
        same = found.get(sha256(log.path)) or found.get(figures)
        if same:
            warnings.append(f"{log.path.name} is the run of {same.path.name} again: counted once")
        else:
            found[sha256(log.path)] = found[figures] = log
    kept = {id(log) for log in found.values()}
    return [log for log in logs if id(log) in kept]


def sha256(path: Path) -> str:
    """Of a file's content; of its name, where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return str(path)


def named(logs: Sequence[Log], folders: Sequence[Folder], warnings: list[str]) -> list[Log]:
    """Without the logs of seeds that their folder's submission.json does not name."""
    found = list(logs)
    for folder in folders:
        seeds = {*folder.seeds, *folder.named_seeds}
        inside = [log for log in found if log.path.is_relative_to(folder.path)]
        if seeds & {log.seed for log in inside}:
            others = [log for log in inside if log.seed not in seeds]
            found = [log for log in found if log not in others]
            if others:
                names = listed(log.path.name for log in others)
                warnings.append(
                    f"{names}: of no seed that {ABOUT} names, {those(sorted(seeds))}; not counted"
                )
    return found


def one_of_each_seed(
    logs: Sequence[Log], folders: Sequence[Folder], warnings: list[str]
) -> list[Log]:
    """Of the runs of a seed the one that was claimed, else the worst; all whose seed is unknown."""
    by_seed: dict[object, list[Log]] = {}
    for number, log in enumerate(logs):
        key = f"log {number}" if log.seed is None else f"seed {log.seed}"
        by_seed.setdefault(key, []).append(log)
    found = []
    for seed, runs in by_seed.items():
        claimed = [log for log in runs if is_claimed(log, folders)]
        taken = claimed[0] if len(claimed) == 1 else max(runs, key=lambda log: log.score.val_bpb)
        if len(runs) > 1:
            names = listed(log.path.name for log in runs)
            which = "the claimed one" if len(claimed) == 1 else "the worst"
            warnings.append(
                f"{seed} has {len(runs)} runs, {names}: {taken.path.name}, {which}, counts"
            )
        found.append(taken)
    return found


def is_claimed(log: Log, folders: Sequence[Folder]) -> bool:
    """Whether a folder gives this log's score as that of its seed, or as its own."""
    claims = [one.seeds.get(log.seed, {}).get("val_bpb", one.val_bpb) for one in folders]
    return any(one and rounds_to(log.score.val_bpb, one) for one in claims)


def rounds_to(value: float, claim: Claim) -> bool:
    """Whether a value is what was claimed, to the digits of the claim."""
    return abs(value - float(claim.value)) <= 0.501 * 10.0 ** -decimals(claim.text)


def decimals(text: str) -> int:
    return len(text.partition(".")[2])


def unlike(logs: Sequence[Log]) -> Iterator[str]:
    """What differs between runs that should differ in their seeds alone."""
    for what, values in (
        ("hardware", [log.hardware for log in logs]),
        ("the number of processes", [log.world_size for log in logs]),
        ("bytes of code", [log.bytes_code for log in logs]),
    ):
        told = [(log, value) for log, value in zip(logs, values, strict=True) if value]
        if len({value for _, value in told}) > 1:
            yield f"the runs differ in {what}: {by_value(told)}"
    yield from tables_unlike("version", logs, [log.versions for log in logs])
    own = [
        {key: value for key, value in log.hyperparameters.items() if not of_a_run(key)}
        for log in logs
    ]
    yield from tables_unlike("hyperparameter", logs, own)


def tables_unlike(
    what: str, logs: Sequence[Log], tables: Sequence[Mapping[str, str]]
) -> Iterator[str]:
    """Names whose values differ, and names that some logs print and others do not."""
    pairs = [(log, table) for log, table in zip(logs, tables, strict=True) if table]
    names = sorted(set().union(*tables))
    found = []
    for name in names:
        told = [(log, table[name]) for log, table in pairs if name in table]
        if len({value for _, value in told}) > 1:
            found.append(f"the runs differ in {what} {name}: {by_value(told)}")
    yield from found[:MOST_TOLD]
    if len(found) > MOST_TOLD:
        yield f"the runs differ in {len(found) - MOST_TOLD} more {what}s"
    for log, table in pairs:
        if missing := [name for name in names if name not in table]:
            yield f"{log.path.name} does not print {what}s that other runs print: {those(missing)}"


def of_a_run(name: str) -> bool:
    return name.lower() in OF_A_RUN or name.lower().endswith(NAMES_OF_FILES)


def by_value(told: Sequence[tuple[Log, object]]) -> str:
    """`8 in train_seed1.log and train_seed2.log, 2 in train_seed3.log`."""
    names: dict[str, list[str]] = {}
    for log, value in told:
        text = f"{value:,}" if isinstance(value, int) else str(value)
        names.setdefault(text, []).append(log.path.name)
    return ", ".join(f"{value} in {listed(logs)}" for value, logs in names.items())


def chosen(
    logs: Sequence[Log], values: Sequence[float], folders: Sequence[Folder], beside: list[Path]
) -> Iterator[str]:
    """Signs that the runs counted are a choice of those that were made."""
    seeds = {log.seed for log in logs}
    known = sorted(seed for seed in seeds if seed is not None)
    if beside:
        names = sorted(path.name for path in beside)
        yield f"more logs lie there that are not counted: {those(names)}"
    for folder in folders:
        told = {*folder.seeds, *folder.named_seeds}
        if missing := sorted(told - seeds) if None not in seeds else []:
            yield f"{ABOUT} names {seeds_of(missing)}, of which no log counts"
        for key, made in all_seeds(folder.about):
            if more := [seed for seed in made if seed not in seeds and seed not in told]:
                yield f"{ABOUT} tells of more runs than count, {seeds_of(more)} ({key})"
        if planned := planned_seeds(folder.path):
            if missing := [seed for seed in planned if seed not in seeds]:
                yield f"the recipe plans {seeds_of(planned)}, and no log of {those(missing)} counts"
            if more := [seed for seed in known if seed not in planned]:
                yield f"the recipe plans {seeds_of(planned)}, not {those(more)}, which counts"
        yield from best_claimed(folder, values)
        yield from other_claimed(folder, logs)


def best_claimed(folder: Folder, values: Sequence[float]) -> Iterator[str]:
    """Where the score claimed is the lowest of several runs and not their mean."""
    claim = folder.val_bpb
    if claim is None or len(values) < 2:
        return
    if rounds_to(min(values), claim) and not rounds_to(mean(values), claim):
        yield (
            f"{ABOUT}:{claim.line} claims {claim.text}, the best of {len(values)} runs; "
            f"their mean is {mean(values):.5f}, which is compared"
        )


def other_claimed(folder: Folder, logs: Sequence[Log]) -> Iterator[str]:
    """Where a seed's claim is a score of its log, but not the one that counts."""
    for log in logs:
        claim = folder.seeds.get(log.seed, {}).get("val_bpb")
        if claim is None or rounds_to(log.score.val_bpb, claim):
            continue
        for score in log.scores:
            if score.val_bpb is not None and rounds_to(score.val_bpb, claim):
                yield (
                    f"{log.path.name}:{log.score.line} counts, {log.score.name} "
                    f"{log.score.val_bpb:.5f}; {ABOUT}:{claim.line} claims {claim.text}, "
                    f"which is its {score.name} on line {score.line}"
                )
                break


def seeds_of(seeds: Sequence[int]) -> str:
    return f"seed{'s' * (len(seeds) > 1)} {those(seeds)}"


def those(names: Sequence[object]) -> str:
    """All of a few names, and how many more there are."""
    more = [f"{len(names) - MOST_TOLD} more"] if len(names) > MOST_TOLD else []
    return listed([*map(str, names[:MOST_TOLD]), *more])


def all_seeds(data: object, key: str = "") -> Iterator[tuple[str, list[int]]]:
    """Lists of whole numbers below keys that speak of seeds, wherever in a submission.json."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from all_seeds(value, f"{key}.{name}" if key else str(name))
    elif isinstance(data, list) and "seed" in key and all(type(one) is int for one in data):
        yield key, data


def planned_seeds(folder: Path) -> list[int]:
    """What the folder's recipe says would be run."""
    path = folder / "recipe.yaml"
    try:
        known = path.is_file() and path.stat().st_size < LARGEST_RECIPE
        data = read_yaml(path).data if known else None
    except (ComposeError, OSError):
        return []
    about = data.get("submission") if isinstance(data, dict) else None
    seeds = about.get("seeds") if isinstance(about, dict) else None
    return [seed for seed in seeds if type(seed) is int] if isinstance(seeds, list) else []


def date_of(folder: Folder) -> str:
    """The day that a submission gives itself, in its submission.json or its folder's name."""
    for text in (folder.about.get("date"), folder.path.resolve().name):
        if isinstance(text, str) and is_date(text[:10]):
            return text[:10]
    return ""
