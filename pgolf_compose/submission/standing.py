"""Where a submission's runs stand against a row of its track's leaderboard, in Markdown."""

from collections.abc import Iterator, Sequence

from pgolf_compose.comparison import Comparison, Verdict, compare, verdicts
from pgolf_compose.errors import ComposeError
from pgolf_compose.leaderboard import (
    Entry,
    Policy,
    best_before,
    find_entry,
    read_leaderboard,
    read_policies,
)
from pgolf_compose.logs import Log
from pgolf_compose.samples import Sample, sample_of_entry, sample_of_logs
from pgolf_compose.submission.markup import code, linked, plain, table
from pgolf_compose.tracks import Track

__all__ = ["standing"]

METHODS = {"Welch": "Welch's t test", "one-sample": "Student's t test against one value"}
MET = {True: "met", False: "not met", None: "cannot be told"}


def standing(track: Track, logs: Sequence[Log], word: str, date: str) -> str:
    """Runs against the row that a word means, `best` for the best one before a date.

    Raises ComposeError where the leaderboard has no such row.
    """
    rows = read_leaderboard(track.leaderboard)
    row = best_before(rows, date) if word == "best" else find_entry(rows, word, track)
    if row is None:
        raise ComposeError(f"track {track.name} has no row from before {date}")
    theirs = sample_of_entry(row)
    try:
        ours = sample_of_logs(logs)
    except ComposeError as error:
        return f"Not compared: {plain(error.message)}."
    policies = [*read_policies(track.policies).values()]
    said = verdicts(ours, theirs, policies, rows, date)
    lines = [*told(compare(ours, theirs), row, track)]
    for policy in policies:
        lines += judged(policy, [one for one in said if one.policy == policy.name], track)
    notes = (*ours.notes, *ours.warnings, *theirs.notes, *theirs.warnings)
    return "\n".join([*lines, *(f"- {linked(one, track.pulls)}." for one in notes)])


def told(found: Comparison, row: Entry, track: Track) -> Iterator[str]:
    """Both sides, their difference and its test."""
    name = linked(row.label, track.pulls) if row.pr else code(row.label)
    where = f", {code(row.folder)}" if row.folder else ""
    yield table(
        ["", "mean val_bpb", "sample std", "runs"],
        [side("here", found.ours), side(f"{name}, {plain(row.date)}", found.theirs)],
        (1, 2, 3),
    )
    yield f"\nSource of {name}: {linked(row.source, track.pulls)}{where}.\n"
    yield f"- Difference: {difference(found)}; below zero is better."
    if test := found.test:
        p = f"t = {test.t:.3f}, df = {test.df:.2f}, p = {test.p_less:.3g}"
        yield f"- {METHODS[found.method]}, one-sided: {p}."
    if found.why:
        yield f"- {linked(found.why, track.pulls)}."


def judged(policy: Policy, said: Sequence[Verdict], track: Track) -> Iterator[str]:
    """What a policy asks, and its verdict on each row that it means."""
    reading = f"; nats are read {plain(policy.reading)}" if policy.reading else ""
    asked = f"{plain(policy.summary)}{reading} ({linked(policy.source, track.pulls)})"
    yield f"- {code(policy.name)}, {asked}:"
    for one in said:
        against = linked(one.against, track.pulls)
        yield f"  - against {against} {MET[one.met]}: {linked(one.reason, track.pulls)}."


def side(name: str, one: Sample) -> list[str]:
    known = one.summary
    spread = "not known" if known.std is None else f"{known.std:.5f}"
    return [name, f"{known.mean:.5f}", spread, str(known.n)]


def difference(found: Comparison) -> str:
    one = found.difference
    words = f"{one.bpb:+.5f} bpb, {one.nats_per_byte:+.5f} nats per byte, "
    if one.nats_per_token is None:
        return f"{words}nats per token {plain(one.tokens)}"
    about = f" ({plain(one.tokens)})" if one.tokens else ""
    return f"{words}{one.nats_per_token:+.5f} nats per token{about}"
