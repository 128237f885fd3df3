"""Time in the logs against the track's limits, and whether the logs are one experiment's."""

from collections import defaultdict
from collections.abc import Iterator

from pgolf_compose.audit.audited import ABOUT, Audited
from pgolf_compose.audit.finding import Finding, Outcome, Passed, Place, Unchecked
from pgolf_compose.logs import Log

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
    for log in audited.logs:
        yield from training(audited, log)
        yield from evaluation(audited, log)


def training(audited: Audited, log: Log) -> Iterator[Outcome]:
    limit, where = audited.track.train_seconds, audited.at(log)
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
        over = f"less than its last step over {limit:g} s"
        yield Passed(f"training: {took:.3f} s, {over} ({where})")
    else:
        yield Passed(f"training: {took:.1f} s of {limit:g} s ({where})")


def evaluation(audited: Audited, log: Log) -> Iterator[Outcome]:
    limit, where = audited.track.eval_seconds, audited.at(log)
    if limit is None:
        return
    if log.eval_seconds is None:
        yield Unchecked(f"the time of evaluation of {where}", "the log prints none")
    elif log.eval_seconds > limit:
        told = f"evaluations took {log.eval_seconds:.1f} s in all; the limit is {limit:g} s"
        todo = "evaluate in less, or leave out the passes that are not the submission's"
        yield Finding("error", where, told, todo)
    else:
        yield Passed(f"evaluation: {log.eval_seconds:.1f} s of {limit:g} s ({where})")


def check_runs(audited: Audited) -> Iterator[Outcome]:
    """The logs are complete, of different seeds, and of one script with one set of values."""
    if not audited.logs:
        yield Unchecked("seeds and statistics", "there are no logs")
        return
    for log in audited.logs:
        if not log.complete:
            reason = log.reason or "no final score is in it"
            yield Finding("warning", audited.at(log), f"is not complete: {reason}", "run it again")
    yield from seeds(audited)
    yield from alike(audited)


def seeds(audited: Audited) -> Iterator[Outcome]:
    by_seed: dict[int | None, list[Log]] = defaultdict(list)
    for log in audited.logs:
        by_seed[log.seed].append(log)
    for seed, logs in by_seed.items():
        if seed is not None and len(logs) > 1:
            first, *more = logs
            same = [one for one in more if one.val_bpb == first.val_bpb and one.val_bpb is not None]
            for one in more:
                name = audited.name_of(first.path)
                told = f"has seed {seed}, as {name} has"
                told += ", and the same score: it is the same run" if one in same else ""
                yield Finding("warning", audited.at(one), told, "show one run per seed, or say why")
    folder = audited.folder
    named = set(folder.named_seeds) if folder else set()
    shown = {seed for seed in by_seed if seed is not None}
    for seed in sorted(named - shown):
        if None in by_seed and len(named) == 1:
            continue  # a log that names no seed may be of it
        told = (claim.line for claim in folder.seeds.get(seed, {}).values())
        line = min(told, default=audited.about_at("seeds").line)
        what = f"names seed {seed}, of which there is no log"
        yield Finding("error", Place(ABOUT, line), what, "add its log")
    if not named - shown and shown:
        told = ", ".join(str(one) for one in sorted(shown))
        yield Passed(f"seeds: {told}, a log each")


def alike(audited: Audited) -> Iterator[Outcome]:
    """What differs between logs that ought to be one experiment."""
    logs = audited.logs
    if len(logs) < 2:
        return
    changing = ("seed", "run_id", "logfile", "rank", "path", "master", "port", "file", "dir", "id")
    first, differ = logs[0], 0
    for log in logs[1:]:
        keys = first.hyperparameters.keys() & log.hyperparameters.keys()
        unlike = [
            key
            for key in sorted(keys)
            if first.hyperparameters[key] != log.hyperparameters[key]
            and not any(word in key.lower() for word in changing)
        ]
        if unlike:
            differ += 1
            told = ", ".join(
                f"{key} {log.hyperparameters[key]} for {first.hyperparameters[key]}"
                for key in unlike[:4]
            )
            more = f" and {len(unlike) - 4} more" if len(unlike) > 4 else ""
            what = f"other values than {audited.name_of(first.path)}: {told[:300]}{more}"
            yield Finding("warning", audited.at(log), what, "run all seeds with the same values")
        for name, a, b in (
            ("code size", first.bytes_code, log.bytes_code),
            ("hardware", first.hardware or None, log.hardware or None),
            ("number of processes", first.world_size, log.world_size),
        ):
            if a is not None and b is not None and a != b:
                differ += 1
                what = f"another {name} than {audited.name_of(first.path)}: {b} for {a}"
                yield Finding(
                    "warning", audited.at(log), what, "run all seeds on one script and machine"
                )
    if not differ:
        yield Passed(f"runs: {len(logs)} logs of one script with one set of values")
