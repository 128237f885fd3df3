"""Bytes: of the script as it is shipped, of all that it reaches, of the model, and their sum."""

from collections.abc import Iterator

from pgolf_compose.audit.audited import ABOUT, Audited
from pgolf_compose.audit.finding import Finding, Outcome, Passed, Place, Unchecked
from pgolf_compose.logs import Log

__all__ = ["check_sizes"]


def check_sizes(audited: Audited) -> Iterator[Outcome]:
    """Shipped, logged and stated bytes agree, and script and model fit the track's limit."""
    if not audited.entry:
        yield Unchecked("bytes", "there is no script")
        if not audited.logs:
            return
    yield from hidden(audited)
    if not audited.logs:
        yield Unchecked("bytes of the model", "there are no logs")
        return
    if audited.track is None:
        why = "the folder lies below no track's, and submission.json names none: use --track"
        yield Unchecked("the limit of bytes", why)
    for log in audited.logs:
        yield from of_log(audited, log)


def shipped(audited: Audited) -> int:
    """Bytes of the script and of all that it reaches for certain."""
    names = [one.name for one in audited.siblings if not one.doubtful]
    return sum(audited.files[name].size for name in (audited.entry, *names))


def hidden(audited: Audited) -> Iterator[Finding]:
    """What the script reaches besides itself has to be counted with it."""
    for one in audited.siblings:
        size = audited.files[one.name].size
        line = one.line if not audited.opened(one.by).packed else 0
        inside = "" if line else f" (line {one.line} of the text inside)"
        told = f"{one.how}{inside}, a file of {size:,} bytes"
        where = Place(one.by, line)
        if one.doubtful:
            what = f"{told}, which it may have written itself"
            yield Finding("warning", where, what, "delete it, or count its bytes")
        elif counted(audited, size):
            yield Finding("note", where, f"{told}; logs count it", "nothing")
        else:
            what = f"{told}, which no log counts as code"
            todo = f"put it into {audited.entry}, or count it: all code is part of the artifact"
            yield Finding("error", where, what, todo)


def counted(audited: Audited, size: int) -> bool:
    """Whether logs and json count at least script and siblings together."""
    logged = [log.bytes_code for log in audited.logs if log.bytes_code]
    claim = audited.folder.bytes_code if audited.folder else None
    logged += [int(claim.value)] if claim else []
    return bool(logged) and min(logged) >= shipped(audited)


def of_log(audited: Audited, log: Log) -> Iterator[Outcome]:
    where, limit = audited.at(log), audited.track and audited.track.artifact_bytes
    if log.bytes_total is not None or log.bytes_model is not None:
        where = audited.where(log, log.bytes_total or log.bytes_model)
    if log.bytes_model is None and log.bytes_total is None:
        yield Unchecked(f"bytes of {where}", "the log prints none")
        return
    if log.bytes_code is not None and audited.entry:
        yield from code(audited, log)
    sums = (log.bytes_model, log.bytes_code, log.bytes_total)
    if None not in sums and sums[0] + sums[1] != sums[2]:
        told = (
            f"says model {sums[0]:,} + code {sums[1]:,} = {sums[2]:,}, which is {sums[0]+sums[1]:,}"
        )
        yield Finding("warning", where, told, "say what the total counts")
    model = log.bytes_model
    if model is None and log.bytes_code is not None:
        model = log.bytes_total - log.bytes_code
    said = log.bytes_total if log.bytes_total is not None else None
    if limit and said is not None and said > limit:
        told = f"its total of {said:,} bytes is {said - limit:,} over the limit of {limit:,}"
        yield Finding("error", where, told, "make model or script smaller")
        return
    if model is None or not audited.entry:
        if limit and said is not None:
            yield Passed(f"bytes: {said:,} in all ({where}), within {limit:,}")
        return
    script = shipped(audited)
    total, more = model + script, " and what it reaches" if audited.siblings else ""
    where = audited.where(log, model)
    told = f"{audited.entry}{more} {script:,} + model {model:,} ({where}) = {total:,}"
    if limit and total > limit:
        what = f"as shipped it is over the limit of {limit:,} by {total - limit:,} bytes: {told}"
        todo = "make model or script smaller"
        yield Finding("error", Place(audited.entry), what, todo)
        return
    within = f", within {limit:,}" if limit else ""
    yield Passed(f"bytes: {told}{claimed(audited, log, total)}{within}")


def claimed(audited: Audited, log: Log, total: int) -> str:
    """Where submission.json says the same total."""
    folder = audited.folder
    for claim in folder.claims if folder else ():
        if int(claim.value) == total:
            return f", as {ABOUT}:{claim.line} says"
    return ""


def code(audited: Audited, log: Log) -> Iterator[Finding]:
    """The code's size as logged, against the file that is shipped."""
    where, logged = audited.where(log, log.bytes_code), log.bytes_code
    script = audited.script
    size, all_of = audited.files[audited.entry].size, shipped(audited)
    if logged in (size, all_of):
        return
    told = f"says that the code has {logged:,} bytes; {audited.entry} has {size:,}"
    inside = len(script.text.encode("utf-8", "replace")) if script else 0
    human = audited.files[audited.human].size if audited.human in audited.files else 0
    if script and script.packed and logged in (inside, human):
        what = f"{told}, {inside:,} unpacked: the log is of the unpacked script"
        yield Finding("note", where, what, "say so in the README; the shipped file counts")
    elif logged < size:
        what = f"{told}: {size - logged:,} bytes are not counted"
        yield Finding("error", where, what, "ship the script that the log is of, or log anew")
    else:
        what = f"{told}: the log is of another script"
        yield Finding("warning", where, what, "ship the script that the log is of, or say why not")
