"""Where a submission's runs stand against a row of its track's leaderboard, in Markdown."""

from collections.abc import Sequence

from pgolf_compose.comparison import Comparison, Verdict, compare, verdicts
from pgolf_compose.errors import ComposeError
from pgolf_compose.leaderboard import (
    Entry,
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
    said = verdicts(ours, theirs, [*read_policies(track.policies).values()], rows, date)
    return told(compare(ours, theirs), said, row, track)


def told(found: Comparison, said: Sequence[Verdict], row: Entry, track: Track) -> str:
    name = linked(f"PR #{row.pr}", track.pulls) if row.pr else code(row.label)
    lines = [
        table(
            ["", "mean val_bpb", "sample std", "runs"],
            [side("here", found.ours), side(f"{name}, {plain(row.date)}", found.theirs)],
            (1, 2, 3),
        ),
        "",
        f"The other's figures are of {plain(row.source)}.",
        "",
        f"- Difference: {difference(found)}; below zero is better.",
    ]
    if test := found.test:
        p = f"t = {test.t:.3f}, df = {test.df:.2f}, p = {test.p_less:.3g}"
        lines.append(f"- {found.method}, one-sided: {p}.")
    if found.why:
        lines.append(f"- {plain(found.why)}.")
    lines += [
        f"- {code(one.policy)}, against {plain(one.against)}: {MET[one.met]}; "
        f"{plain(one.reason)}."
        for one in said
    ]
    notes = (*found.ours.notes, *found.ours.warnings, *found.theirs.notes, *found.theirs.warnings)
    return "\n".join([*lines, *(f"- {plain(one)}." for one in notes)])


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
