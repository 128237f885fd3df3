"""Time in the logs against the track's limits, and whether the logs are one experiment's."""

import re
from collections.abc import Iterator

from pgolf_compose.audit.audited import ABOUT, Audited
from pgolf_compose.audit.finding import Finding, Outcome, Passed, Place, Unchecked, listed_some
from pgolf_compose.errors import ComposeError
from pgolf_compose.logs import Log
from pgolf_compose.samples import sample_of_logs

__all__ = ["check_runs", "check_times"]


def check_times(audited: Audited) -> Iterator[Outcome]:
    """Training and evaluation took no longer than the track allows."""
    track = audited.track
    if not audited.logs:
        yield Unchecked("times", "there are no logs")
        return
    if track is None:
        yield Unchecked("limits of time", "the track is not known: use --track")
        return
    if track.train_seconds is None and track.eval_seconds is None:
        yield Passed(f"times: {track.name} sets no limits")
        return
    for name, check in (("training", training), ("evaluation", evaluation)):
        kept = []
        for log in audited.logs:
            for one in check(audited, log):
                if isinstance(one, Passed):
                    kept.append(one.what)
                else:
                    yield one
        if kept:
            limit = track.train_seconds if name == "training" else track.eval_seconds
            yield Passed(f"{name}, limit {limit:g} s: {listed_some(kept, 6)}")


def training(audited: Audited, log: Log) -> Iterator[Outcome]:
    limit, where = audited.track.train_seconds, audited.where(log, log.train_ms)
    if limit is None:
        return
    if log.train_ms is None:
        yield Unchecked(f"the time of training of {where}", "the log prints none")
        return
    took, step = log.train_ms / 1000, (log.train_ms / log.steps / 1000 if log.steps else 0.0)
    # a script looks at its clock after a step, so the last one may end late
    if took > limit + step + 0.1:
        told = f"training took {took:.3f} s; the limit is {limit:g} s"
        yield Finding("error", where, told, "train for less, or submit it as a non-record")
    elif took > limit:
        yield Passed(f"{took:.3f}, over by less than its last step ({where})")
    else:
        yield Passed(f"{took:.1f} ({where})")


def evaluation(audited: Audited, log: Log) -> Iterator[Outcome]:
    limit, where = audited.track.eval_seconds, audited.at(log, log.score.line if log.score else 0)
    if limit is None:
        return
    if log.eval_seconds is None:
        yield Unchecked(f"the time of evaluation of {where}", "the log prints none")
    elif log.eval_seconds > limit:
        told = f"evaluations took {log.eval_seconds:.1f} s in all; the limit is {limit:g} s"
        todo = "evaluate in less, or leave out the passes that are not the submission's"
        yield Finding("error", where, told, todo)
    else:
        yield Passed(f"{log.eval_seconds:.1f} ({where})")


def check_runs(audited: Audited) -> Iterator[Outcome]:
    """The logs are complete, of different seeds, and of one script with one set of values."""
    if not audited.logs:
        yield Unchecked("seeds and statistics", "there are no logs")
        return
    for log in audited.logs:
        if not log.complete:
            reason = log.reason or "no final score is in it"
            yield Finding("warning", audited.at(log), f"is not complete: {reason}", "run it again")
    yield from seeds_without_logs(audited)
    folders = [audited.folder] if audited.folder else []
    try:
        sample = sample_of_logs(audited.logs, folders)
    except ComposeError as error:
        yield Unchecked("statistics", error.message.partition(":")[0])
        return
    doubts = [one for one in sample.warnings if not said_elsewhere(one)]
    for one in doubts:
        yield Finding("warning", place_of(audited, one), one, "say why in the README, or run anew")
    count, mean = len(sample.values), sample.summary.mean
    spread = f", standard deviation {sample.summary.std:.5f}" if sample.summary.std else ""
    yield Passed(f"runs: {count} that count, mean {mean:.5f} bpb{spread}")
    if count > 1 and not doubts:
        yield Passed(f"runs: the {count} logs are of one script with one set of values")


def said_elsewhere(text: str) -> bool:
    """What other checks of ours say already, with a place."""
    return " is left out: " in text or "and no log that counts has it" in text


def place_of(audited: Audited, text: str) -> Place:
    """The first file that a warning names, with its line if it tells one."""
    found = {text.find(name): name for name in audited.files if name in text and len(name) > 3} or {
        0: ""
    }
    name = found[min(found)]
    line = re.search(rf"{re.escape(name)}:(\d+)", text)
    return Place(name or ".", int(line[1]) if name and line else 0)


def seeds_without_logs(audited: Audited) -> Iterator[Outcome]:
    """Seeds that submission.json names and no log has."""
    folder = audited.folder
    shown = {log.seed for log in audited.logs}
    shown |= {int(one) for log in audited.logs for one in SEED.findall(log.path.stem)}
    named = set(folder.named_seeds) | set(folder.seeds) if folder else set()
    for seed in sorted(named - shown):
        if None in shown and len(named) == 1:
            continue  # a log that names no seed may be of it
        told = (claim.line for claim in folder.seeds.get(seed, {}).values())
        line = min(told, default=audited.about_at("seeds").line)
        what = f"names seed {seed}, of which there is no log"
        yield Finding("error", Place(ABOUT, line), what, "add its log")
    if named and not named - shown:
        told = ", ".join(str(one) for one in sorted(named))
        yield Passed(f"seeds: {told}, a log each")


SEED = re.compile(r"seed[_-]?(\d{1,10})", re.I)
