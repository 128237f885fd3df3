"""A submission's folder as values: what its submission.json states, what its logs show.

Which logs a claimed score is held to, in this order: the log or logs of the seeds that the json
names (one log per seed: of several, the one whose score the json states for that seed), averaged;
a folder's only run; all of its runs, averaged. Logs that tell the same run twice count once. A log
of another purpose, such as an ablation's, is one whose score the json states under a key of its own
(`best_10min_sp1024_val_bpb`): it is left out, and so are a seed's other logs; both are named.
"""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from pathlib import Path

from pgolf_compose.errors import ComposeError, listed
from pgolf_compose.json_file import Claim, Oddity, read_json
from pgolf_compose.logs import Log, Score, find_logs, read_log

__all__ = [
    "Agreement",
    "Claim",
    "Difference",
    "Folder",
    "SeedAgreement",
    "agreement",
    "differences",
    "read_folder",
]

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


@dataclass(frozen=True)
class SeedAgreement:
    """What the json states for a seed beside what its log gives."""

    seed: int
    claim: Claim | None
    log: Log | None
    equal: bool | None  # None: nothing to compare


@dataclass(frozen=True)
class Agreement:
    """Whether the logs give the json's val_bpb, to the digits that it states, and if not, why."""

    equal: bool
    kind: str  # how it was found or why not; see KINDS
    text: str
    claim: Claim | None = None
    value: Decimal | None = None  # what the logs give
    logs: tuple[Log, ...] = ()  # that it was taken from
    seeds: tuple[SeedAgreement, ...] = ()


@dataclass(frozen=True)
class Difference:
    """A figure that the json states for a seed and its log gives otherwise."""

    seed: int
    claim: Claim
    log: Log
    value: Decimal


KINDS = {
    "seed": "the log of the seed that the json names",
    "seeds": "the mean over the seeds that the json names",
    "log": "the folder's only run",
    "logs": "the mean over all runs",
    "no claim": "the json states no val_bpb",
    "no log": "no log in the folder",
    "no score": "no log has a score",
    "one of several": "the score of one run of several, their mean is another",
    "another score": "a score of the log that is not the submission's",
    "other scores": "a mean with scores that are not the submission's",
    "some": "the mean over some of the runs",
    "more digits": "a score of the log, with digits that it does not print",
    "rounded": "the mean of rounded values",
    "cut": "digits cut off, not rounded",
    "own mean": "the mean of the json's own values for seeds, which the logs do not give",
    "seed missing": "a seed that the json names has no log",
    "differs": "no score of the logs",
}


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


# -- agreement ----------------------------------------------------------------------------------


def agreement(folder: Folder) -> Agreement:
    """Whether the folder's logs give its val_bpb, or why they do not."""
    claim = folder.val_bpb
    if claim is None:
        return no_claim(folder)
    if not folder.logs:
        return Agreement(False, "no log", "no log in this folder", claim)
    runs = distinct(log for log in folder.logs if score_of(log) is not None)
    if not runs:
        return unscored(folder, claim)
    elsewhere = [log for log in runs if stated_elsewhere(folder, log)]
    runs = [log for log in runs if log not in elsewhere] or runs
    for kind, chosen in candidates(folder, runs):
        value = mean(score_of(log) for log in chosen)
        if rounds_to(value, claim):
            rows = seed_rows(folder, chosen)
            text = f"{claim.text} is {how(kind, chosen)}{left_out(folder, chosen)}"
            wrong = [row for row in rows if row.equal is False]
            if wrong:
                text += "; but " + listed(map(row_text, wrong))
            for log in chosen:
                if not log.complete:
                    text += f"; {name(log)} is not whole: {log.reason}"
            return Agreement(True, kind, text, claim, value, tuple(chosen), rows)
    kind, text, value, chosen = reason(folder, runs, claim)
    return Agreement(
        False, kind, text, claim, value, tuple(chosen), seed_rows(folder, chosen or runs)
    )


def stated_elsewhere(folder: Folder, log: Log) -> bool:
    """Whether a key that is neither the headline's nor a seed's states the log's score."""
    value = score_of(log)
    own = {claim.key for claims in folder.seeds.values() for claim in claims.values()}
    return not rounds_to(value, folder.val_bpb) and any(
        claim.digits >= 5 and rounds_to(value, claim)
        for claim in folder.claims
        if claim.key not in own and "bpb" in claim.key.lower() and not claim.key.startswith("seed")
    )


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


def candidates(folder: Folder, runs: list[Log]) -> list[tuple[str, list[Log]]]:
    """The runs that the claim may be of, by the rules of this module, the first first."""
    result = []
    if folder.named_seeds:
        chosen = [log_of_seed(folder, runs, seed) for seed in folder.named_seeds]
        if None not in chosen:
            result.append(("seed" if len(chosen) == 1 else "seeds", chosen))
    if len(runs) == 1:
        result.append(("log", runs))
    else:
        result.append(("logs", runs))
    return result


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


def shown_value(value: Decimal) -> str:
    return str(round(value, 8))


def name(log: Log) -> str:
    return log.path.name


def how(kind: str, logs: list[Log]) -> str:
    if kind in ("seed", "log"):
        (log,) = logs
        return f"{log.score.text} of {name(log)} ({log.score.name}, line {log.score.line})"
    value = shown_value(mean(map(score_of, logs)))
    of = "seeds " + listed(str(seed_of(log)) for log in logs) if kind == "seeds" else "all logs"
    return f"the mean {value} of {len(logs)} logs ({of})"


def left_out(folder: Folder, chosen: list[Log]) -> str:
    keys = {(log.steps, log.train_ms, log.score and log.score.text) for log in chosen}
    others = [
        name(log)
        for log in folder.logs
        if (log.steps, log.train_ms, log.score and log.score.text) not in keys
    ]
    return f"; not counted: {listed(others)}" if others else ""


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


def row_text(row: SeedAgreement) -> str:
    return (
        f"for seed {row.seed} the json says {row.claim.text}, {name(row.log)} {row.log.score.text}"
    )


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


def no_claim(folder: Folder) -> Agreement:
    if not folder.about:
        return Agreement(False, "no claim", "no submission.json in this folder")
    runs = distinct(log for log in folder.logs if score_of(log) is not None)
    text = "submission.json states no val_bpb"
    if (loss := folder.val_loss) is not None and runs:
        value = mean(map(score_of, runs))
        if abs(value - loss.value) <= Decimal(1).scaleb(-loss.digits):
            same = "is" if rounds_to(value, loss) else "is, but for its last digit,"
            text += f"; its val_loss {loss.text} {same} the logs' mean val_bpb {shown_value(value)}"
    return Agreement(False, "no claim", text)


def unscored(folder: Folder, claim: Claim) -> Agreement:
    text = "no log has a final score"
    for log in folder.logs:
        for score in told_scores(log):
            if rounds_to(Decimal(score.text), claim):
                text = f"the json's value is {place(log, score)}; {log.reason}"
                return Agreement(False, "no score", text, claim, Decimal(score.text), (log,))
    reasons = listed(f"{name(log)}: {log.reason}" for log in folder.logs[:3])
    return Agreement(False, "no score", f"{text} ({reasons})", claim)


def told_scores(log: Log) -> list[Score]:
    """Scores that a json may mean: those after training and training's last."""
    steps = [score for score in log.scores if score.name == "step" and score.text]
    return steps[-1:] + [score for score in log.scores if score.name != "step" and score.text]


def place(log: Log, score: Score) -> str:
    what = "of training's last validation" if score.name == "step" else score.name
    kind = "" if score.final or score.name == "step" else ", a diagnostic"
    return f"the score {what} at line {score.line} of {name(log)}{kind}"


def reason(folder: Folder, runs: list[Log], claim: Claim) -> tuple:
    """Kind, text, value and logs of what the claim is instead."""
    everyone = mean(map(score_of, runs))
    for log in runs:
        printed = Claim("", log.score.text, score_of(log), 0)
        if printed.digits < claim.digits and rounds_to(claim.value, printed):
            text = (
                f"{claim.text} has more digits than {name(log)} prints: {log.score.text} "
                f"({log.score.name}, line {log.score.line})"
            )
            return "more digits", text, score_of(log), [log]
    for log in runs:
        if rounds_to(score_of(log), claim):
            best = min(runs, key=score_of) is log
            kind = f"the best of {len(runs)} runs" if best else f"one of {len(runs)} runs"
            text = (
                f"{claim.text} is {kind}: {log.score.text} of {name(log)} (seed {seed_of(log)}); "
                f"their mean is {shown_value(everyone)}"
            )
            return "one of several", text, score_of(log), [log]
    for log in runs:
        for score in told_scores(log):
            if rounds_to(Decimal(score.text), claim):
                text = (
                    f"{claim.text} is {place(log, score)}; what counts is {log.score.name} "
                    f"{log.score.text} at line {log.score.line}"
                )
                if len(runs) > 1:
                    text += f", and the mean of {len(runs)} runs {shown_value(everyone)}"
                return "another score", text, Decimal(score.text), [log]
    chosen = [log_of_seed(folder, runs, seed) for seed in folder.named_seeds]
    chosen = chosen if chosen and None not in chosen else runs
    for found in (other_scores, rounded_first, cut_off, some_of_them, own_mean):
        if told := found(folder, chosen, runs, claim):
            return told
    missing = [seed for seed in folder.named_seeds if not any(seed_of(r) == seed for r in runs)]
    if missing:
        text = f"no log of seed {listed(map(str, missing))}, which the json names; "
        value = mean(map(score_of, runs))
        text += (
            f"the mean of {name(runs[0])}" if len(runs) == 1 else f"the mean of {len(runs)} runs"
        )
        text = text.replace("the mean of " + name(runs[0]), name(runs[0]) + " has")
        text = f"{text} {shown_value(value)}{another_size(folder, runs)}"
        return "seed missing", text, value, runs
    value = mean(map(score_of, chosen))
    nearest = min(
        ((log, s) for log in runs for s in told_scores(log)),
        key=lambda one: abs(Decimal(one[1].text) - claim.value),
    )
    text = (
        f"the json states {claim.text}, the logs give {shown_value(value)}; "
        f"nearest is {place(*nearest)}: {nearest[1].text}{another_size(folder, runs)}"
    )
    return "differs", text, value, chosen


def another_size(folder: Folder, runs: list[Log]) -> str:
    """That the artifact is another too, where the json states its bytes."""
    stated, sizes = folder.bytes_total, [log.bytes_total for log in runs if log.bytes_total]
    if stated is None or not sizes or any(size == stated.value for size in sizes):
        return ""
    told = listed(f"{size:,}" for size in sizes)
    return f"; the json's artifact has {int(stated.value):,} bytes, the logs' {told}: another run"


def other_scores(folder, chosen, runs, claim):
    """The mean over the runs, for some of them by another of their scores."""
    options = []
    for log in chosen:
        scores = {s.text: s for s in log.scores if s.text and s.name != "step"}
        options.append([(log, s) for s in scores.values()][:12])
    combinations = 1
    for one in options:
        combinations *= len(one)
    if len(chosen) < 2 or combinations > 20_000:
        return None
    for combination in itertools.product(*options):
        value = mean(Decimal(s.text) for _, s in combination)
        if rounds_to(value, claim):
            others = [(log, s) for log, s in combination if Decimal(s.text) != score_of(log)]
            names = {s.name for _, s in others}
            if len(others) == len(chosen) and len(names) > 1:
                continue  # a coincidence
            told = listed(
                f"{place(log, s)} ({s.text}) where {log.score.name} {log.score.text} comes later"
                for log, s in others
            )
            text = f"{claim.text} is the mean of {len(chosen)} runs with {told}"
            return "other scores", text, mean(map(score_of, chosen)), chosen
    return None


def rounded_first(folder, chosen, runs, claim):
    for digits in range(claim.digits, 2, -1):
        step = Decimal(1).scaleb(-digits)
        values = [score_of(log).quantize(step, ROUND_HALF_UP) for log in chosen]
        if len(chosen) > 1 and rounds_to(mean(values), claim):
            value = mean(map(score_of, chosen))
            text = (
                f"the logs give {round(value, claim.digits)}; the json's {claim.text} is the mean "
                f"of values rounded before ({listed(map(str, values))})"
            )
            return "rounded", text, value, chosen
    return None


def cut_off(folder, chosen, runs, claim):
    step = Decimal(1).scaleb(-claim.digits)
    value = mean(map(score_of, chosen))
    if value.quantize(step, ROUND_DOWN) == claim.value:
        text = (
            f"the logs give {shown_value(value)}; the json's {claim.text} is cut off, not rounded"
        )
        return "cut", text, value, chosen
    return None


def some_of_them(folder, chosen, runs, claim):
    if len(runs) > 12:
        return None
    for count in range(len(runs) - 1, 1, -1):
        for some in itertools.combinations(runs, count):
            if rounds_to(mean(map(score_of, some)), claim):
                others = [log for log in runs if log not in some]
                text = (
                    f"{claim.text} is the mean of {listed(map(name, some))}; without "
                    f"{listed(map(name, others))}; all {len(runs)} give "
                    f"{shown_value(mean(map(score_of, runs)))}"
                )
                return "some", text, mean(map(score_of, runs)), list(some)
    return None


def own_mean(folder, chosen, runs, claim):
    stated = [c["val_bpb"] for c in folder.seeds.values() if "val_bpb" in c]
    if len(stated) < 2 or not rounds_to(mean(c.value for c in stated), claim):
        return None
    rows = [row for row in seed_rows(folder, runs) if row.equal is False]
    missing = [str(row.seed) for row in seed_rows(folder, runs) if row.log is None]
    told = [row_text(row) for row in rows]
    if missing:
        told.append(f"no log of seed {listed(missing)}")
    if not told:
        return None
    value = mean(map(score_of, runs))
    text = f"{claim.text} is the mean of the json's own seeds, but {listed(told)}"
    if not missing:
        text += f"; the logs give {shown_value(value)}"
    return "own mean", text, value, runs
