"""submission.json: its grammar, its keys, and every number of it that a log could contain."""

import datetime
import re
from collections.abc import Iterator

from pydantic import ValidationError

from pgolf_compose.audit.audited import ABOUT, Audited
from pgolf_compose.audit.finding import Finding, Outcome, Passed, Place, Unchecked, listed_some
from pgolf_compose.audit.known import Numbers, half
from pgolf_compose.errors import ComposeError
from pgolf_compose.folders import SeedAgreement, agreement
from pgolf_compose.json_file import Claim
from pgolf_compose.submission.about import About

__all__ = ["check_about", "check_agreement", "check_promises"]

# what stands for the same thing in merged folders
REQUIRED = {
    "author": ("author", "authors", "name"),
    "github_id": ("github_id", "github", "github_username", "author_github"),
    "name": ("name", "title", "run_name", "submission_name"),
    "date": ("date",),
    "val_bpb": ("val_bpb", "mean_val_bpb", "val_bpb_mean", "mean_bpb", "bpb", "final_val_bpb"),
}
# claims that no run prints: of other work, of what was planned, of a fit
NOT_LOGGED = re.compile(
    r"base|prev|prior|sota|delta|gain|gap|improve|diff|_vs_|threshold|limit|cap|budget|target|"
    r"record|leader|parent|reference|param|max_|min_|stride|seq|token|warm|iterations|all_runs|"
    r"disclosure|ablation|compression|ratio|unpacked|raw",
    re.I,
)


def check_about(audited: Audited) -> Iterator[Outcome]:
    """It is a JSON mapping without doubtful places, and has the keys that are asked for."""
    if ABOUT not in audited.files:
        yield Unchecked(ABOUT, "there is none")
        return
    document = audited.about_or_error
    if isinstance(document, ComposeError):
        yield Finding("error", line_of(document), document.message, "mend it")
        return
    for one in document.oddities:
        yield Finding("error", Place(ABOUT, one.line), one.text, "write each key once, and numbers")
    if not isinstance(document.data, dict):
        told = f"holds {kind(document.data)}, not a mapping of keys"
        yield Finding("error", Place(ABOUT, 1), told, 'begin with {"name": ...')
        return
    yield from keys(audited)
    if audited.ours:
        yield from schema(audited)


def schema(audited: Audited) -> Iterator[Outcome]:
    """Our own submission.json keeps our JSON Schema."""
    try:
        About.model_validate(audited.values)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            path = [str(key) for key in one["loc"]]
            told = f"{'.'.join(path)}: {one['msg'][:1].lower()}{one['msg'][1:]}, by our JSON Schema"
            yield Finding(
                "error", audited.about_at(*path), told, "run `pgolf-compose submit` again"
            )
    else:
        yield Passed(f"{ABOUT}: keeps our JSON Schema")


def line_of(error: ComposeError) -> Place:
    """The line that an error about submission.json names."""
    found = re.search(r":(\d+)$", str(error.where))
    return Place(ABOUT, int(found[1]) if found else 1)


def kind(value: object) -> str:
    kinds = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a mapping" if isinstance(value, dict) else "a number")


def keys(audited: Audited) -> Iterator[Outcome]:
    values, bad = audited.values, False
    for name, spellings in REQUIRED.items():
        found = next((key for key in spellings if values.get(key) not in (None, "")), "")
        if not found:
            bad = True
            there = next((key for key in spellings if key in values), "")
            told = f"{there or name} is {'empty' if there else 'missing'}"
            if name == "val_bpb" and audited.logs:
                continue  # said with what the logs give
            level = "error" if name == "val_bpb" else "warning"
            yield Finding(level, audited.about_at(there), told, f'fill in "{name}"')
        elif name == "val_bpb" and not is_number(values[found]):
            bad = True
            told = f"{found} is {kind(values[found])}, not a number"
            yield Finding("error", audited.about_at(found), told, "write a bare number")
    date = values.get("date")
    if isinstance(date, str) and date and not is_date(date):
        bad = True
        told = f"{date[:40]!r} is no date"
        yield Finding("warning", audited.about_at("date"), told, "write 2026-04-05")
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


def check_agreement(audited: Audited) -> Iterator[Outcome]:
    """Every number of submission.json that a log could contain is one that they give."""
    folder = audited.folder
    if folder is None or not folder.claims:
        yield Unchecked("submission.json against the logs", "it states no numbers that can be read")
        return
    if not audited.logs:
        yield Unchecked("submission.json against the logs", "there are no logs")
        return
    found = agreement(folder)
    if found.claim is None and is_missing(audited):
        yield Finding("error", audited.about_at("val_loss"), found.text, 'fill in "val_bpb"')
    if found.equal:
        yield Passed(f"val_bpb: {found.claim.text} ({ABOUT}:{found.claim.line}): {found.text}")
    elif found.claim is not None:
        todo = "state what the logs give, or add the logs that give it"
        level = MILD.get(found.kind, "error")
        yield Finding(level, Place(ABOUT, found.claim.line), found.text, todo)
    numbers, good = Numbers(audited), []
    for row in found.seeds:
        if row.equal is False:
            yield other_score(audited, numbers, row)
    told = {found.claim.key} if found.claim else set()
    told |= {row.claim.key for row in found.seeds if row.claim is not None}
    for claim in folder.claims:
        if claim.key not in told:
            for outcome in one_claim(audited, numbers, claim):
                if isinstance(outcome, Finding):
                    yield outcome
                else:
                    good.append(claim)
    if good:
        names = listed_some(f"{one.key} {one.text}" for one in good)
        yield Passed(f"{ABOUT}: {len(good)} more numbers are the logs': {names}")


def is_missing(audited: Audited) -> bool:
    return not any(is_number(audited.values.get(key)) for key in REQUIRED["val_bpb"])


# a score that some log gives, though not the one that counts, is no invention
MILD = {
    "one of several": "warning",
    "some": "warning",
    "another score": "warning",
    "other scores": "warning",
    "rounded": "note",
    "cut": "note",
}


def other_score(audited: Audited, numbers: Numbers, row: SeedAgreement) -> Finding:
    score, claim = row.log.score, row.claim
    pool = numbers.own("bpb", seed=row.log.seed)
    level = "warning" if pool.match(float(claim.value), half(claim.digits)) else "error"
    what = f"says {row.claim.text} for seed {row.seed}; {audited.at(row.log, score.line)} has "
    what += f"{score.text}, {score.name}"
    return Finding(level, Place(ABOUT, row.claim.line), what, "state what the log gives")


def one_claim(audited: Audited, numbers: Numbers, claim: Claim) -> Iterator[Finding | bool]:
    """A finding, True for a number that logs give, nothing for one that they need not have."""
    key, last = claim.key.lower(), claim.key.lower().rpartition(".")[2]
    if NOT_LOGGED.search(key):
        return
    seed = next((s for s, of in audited.folder.seeds.items() if claim in of.values()), None)
    if seed is not None and not any(log.seed == seed for log in audited.logs):
        return
    kinds, scale = kinds_of(last, claim)
    if not kinds:
        return
    value, digits = abs(float(claim.value)), claim.digits
    pool = numbers.own(*kinds, seed=seed)
    if not pool.known:
        return
    whole = str(claim.value)
    zeros = len(whole) - len(whole.rstrip("0")) if kinds == ("bytes",) else 0
    slack = half(digits - (zeros if zeros > 2 else 0))  # 15900000 says nothing of its zeros
    if pool.match(value * scale, slack * scale):
        yield True
        return
    if "ms" in kinds and numbers.figures.match(value, half(digits)):
        yield True
        return
    near = pool.nearest(value * scale)
    run = f" of seed {seed}" if seed is not None else ""
    shown = f"{near.value / scale:,.{digits}f}" if digits else f"{near.value / scale:,.0f}"
    what = (
        f"{claim.key} is {claim.text}, which no log{run} gives; nearest is {shown} ({near.where})"
    )
    headline = audited.folder.val_loss, audited.folder.bytes_total, audited.folder.bytes_code
    stated = seed is not None and kinds[0] in ("bpb", "loss", "bytes", "steps")
    level = "error" if stated or claim in headline else "warning"
    yield Finding(level, Place(ABOUT, claim.line), what, "state what the logs give")


def kinds_of(name: str, claim: Claim) -> tuple[tuple[str, ...], float]:
    """Which kinds of number a key may name, and how many of their units one of its own has."""
    if re.search(r"(?<![a-z])std|stdev|sigma|stderr|sem$|spread|variance", name):
        return (("spread",), 1) if re.search(r"bpb|loss|nats|^std$|std_", name) else ((), 1)
    if "bpb" in name:
        return ("bpb",), 1
    if "loss" in name:
        return ("loss",), 1
    if re.search(
        r"bytes|(?:artifact|code|model|submission|total)_size$", name
    ) and claim.value == int(claim.value):
        return ("bytes",), 1
    if re.search(r"ms_per_step|step_(?:avg|time)", name):
        return ("ms",), 1000 if re.search(r"_s(?:ec|econds)?$", name) else 1
    if re.search(r"^steps?$|_steps?$|^steps_|_steps_(?:mean|avg)$|train_steps", name):
        return ("steps",), 1
    if re.search(r"(?:time|avg|wallclock|eval|train)\w*_ms\b|_ms(?:_mean)?$", name):
        return ("ms",), 1
    if re.search(r"(?:time|wallclock|eval|train)\w*?_s(?:ec|econds)?(?:_mean|_avg)?$", name):
        return ("ms",), 1000
    return (), 1


# what a `compliance` block promises, and what shows it
def check_promises(audited: Audited) -> Iterator[Outcome]:
    """`train_under_600s: true` and its like are borne out by the logs."""
    promises = audited.values.get("compliance")
    if not isinstance(promises, dict) or not audited.logs:
        return
    kept = []
    for name, value in promises.items():
        for measured, limit, what in measures(audited, str(name)):
            if value is True and measured > limit:
                told = f"promises {name}; {what}"
                yield Finding(
                    "error", audited.about_at("compliance", str(name)), told, "mend the run or it"
                )
            elif value is True:
                kept.append(str(name))
    if kept:
        yield Passed(f"compliance: {listed_some(dict.fromkeys(kept), 6)}, as the logs show")


def measures(audited: Audited, name: str) -> Iterator[tuple[float, float, str]]:
    """What logs measured of a promise, its limit, and both in words."""
    under = re.fullmatch(r"(train|eval)\w*_under_(\d{1,5})s\w*", name)
    for log in audited.logs:
        where = audited.at(log)
        if under and under[1] == "train" and log.train_ms and log.steps:
            # the clock is looked at after a step
            limit = float(under[2]) + log.train_ms / log.steps / 1000
            yield log.train_ms / 1000, limit, f"{where} took {log.train_ms / 1000:.1f} s to train"
        elif under and under[1] == "eval" and log.eval_seconds:
            took = log.eval_seconds
            yield took, float(under[2]), f"{where} took {took:.1f} s to evaluate"
        elif re.fullmatch(r"artifact_under_16_?mb", name) and log.bytes_total:
            yield log.bytes_total, 16_000_000, f"{where} has {log.bytes_total:,} bytes in all"
    if name == "three_seeds":
        seeds = {log.seed for log in audited.logs}
        yield 3, len(seeds), f"there are logs of {len(seeds)}"
