"""`results ... --against`: a mean and its chance against a row of the leaderboard or other runs."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from pgolf_compose.cli.shared import columns, echo_json, table
from pgolf_compose.errors import ComposeError

__all__ = ["against_options", "show_against"]


def against_options(command: Callable) -> Callable:
    """`--against --policy --date --track`, handed on as keywords of `show_against`."""
    options = [
        click.option(
            "--against",
            multiple=True,
            metavar="ROW|PATH",
            help="pr1493, a folder's name, `best` before the date, or logs and folders.",
        ),
        click.option(
            "--policy", "policies", multiple=True, metavar="NAME", help="Of the verdicts."
        ),
        click.option("--date", metavar="YYYY-MM-DD", help="Of the submission, for its rival."),
        click.option("--track", metavar="NAME", help="Whose leaderboard and policies count."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def show_against(
    paths: Sequence[Path],
    against: Sequence[str],
    policies: Sequence[str] = (),
    date: str | None = None,
    track: str | None = None,
    as_json: bool = False,
    plugins: Sequence[Path] = (),
) -> None:
    """Statistics of the runs in `paths`, the difference, and what each policy says."""
    from pgolf_compose.comparison import compare, verdicts
    from pgolf_compose.leaderboard import is_date, read_leaderboard, read_policies
    from pgolf_compose.plugins import load_library, pick
    from pgolf_compose.results import results_json

    if date is not None and not is_date(date):
        raise ComposeError(f"{date} is no date; write it like 2026-04-05")
    tracks = load_library(plugins).tracks
    if track:
        pick("track", track, tracks)
    ours, groups = sample(paths)
    abouts = [group.folder.about for group in groups if group.folder]
    found = tracks[track or track_named(abouts, tracks)]
    rows = read_leaderboard(found.leaderboard)
    known = read_policies(found.policies)
    chosen = [pick("policy", name, known) for name in policies] or [*known.values()]
    theirs = other_side(against, rows, date or ours.date, found)
    if theirs.folder and theirs.folder in {path.resolve().name for path in paths}:
        ours = replace(ours, notes=(*ours.notes, f"{theirs.name} is the row of this very folder"))
    comparison = compare(ours, theirs)
    said = verdicts(ours, theirs, chosen, rows, date or ours.date)
    if as_json:
        data = as_data(comparison, said, found.name, date or ours.date, chosen)
        echo_json({**data, "logs": results_json(groups)})
    else:
        print_comparison(comparison, said)
        if not known:
            click.echo(f"track {found.name} has no policy: nothing says what would be a record")
    if not all(log.complete for group in groups for log in group.logs):
        click.get_current_context().exit(1)


def sample(paths: Sequence[Path]):
    """The runs of logs and folders, and what was read of these, in groups."""
    from pgolf_compose.logs import find_logs
    from pgolf_compose.results import gather
    from pgolf_compose.samples import sample_of_logs

    groups, told = gather(paths)
    for line in told:
        click.echo(line, err=True)
    logs = [log for group in groups for log in group.logs]
    folders = [group.folder for group in groups if group.folder]
    given = {log.path.resolve() for log in logs}
    parents = {path.resolve().parent for path in paths if not path.is_dir()}
    beside = [
        other
        for parent in parents
        for other in (find_logs(parent) if (parent / "submission.json").is_file() else ())
        if other.resolve() not in given
    ]
    return sample_of_logs(logs, folders, beside), groups


def track_named(abouts: Sequence[dict], tracks: dict) -> str:
    """The track that a submission.json names, in whatever spelling; else the challenge's."""
    from pgolf_compose.recipe import Recipe

    for about in abouts:
        for name, track in tracks.items():
            if isinstance(about.get("track"), str) and track.called(about["track"]):
                return name
    return Recipe("").track.value


def other_side(against: Sequence[str], rows: Sequence, date: str, track):
    """The logs and folders that the words name, or else a row of the leaderboard."""
    there = [Path(word) for word in against if Path(word).exists()]
    if not there:
        return row(rows, against, date, track)
    if len(there) < len(against):
        missing = next(word for word in against if not Path(word).exists())
        raise ComposeError("there is no such log or folder", missing)
    try:
        return sample(there)[0]
    except ComposeError:
        # a record's folder may hold no log: what the leaderboard tells of it is left
        name = there[0].resolve().name
        if len(there) > 1 or not any(one.folder == name for one in rows):
            raise
        return row(rows, [name], date, track)


def row(rows: Sequence, against: Sequence[str], date: str, track):
    """The row of the leaderboard that the words mean."""
    from pgolf_compose.leaderboard import best_before, find_entry
    from pgolf_compose.samples import sample_of_entry

    if len(against) > 1:
        raise ComposeError(f"one row can be held against: {against[0]}, or several logs")
    if against[0] != "best":
        return sample_of_entry(find_entry(rows, against[0], track))
    if not date:
        raise ComposeError("best before which day? --date YYYY-MM-DD says it")
    best = best_before(rows, date)
    if best is None:
        raise ComposeError(f"track {track.name} has no row from before {date}")
    return sample_of_entry(best)


def as_data(comparison, said: Sequence, track: str, date: str, policies: Sequence) -> dict:
    """What `--json` prints."""
    from pgolf_compose.statistics import interval

    def side(one) -> dict:
        return {
            "name": one.name,
            "date": one.date,
            "n": one.summary.n,
            "mean": one.summary.mean,
            "std": one.summary.std,
            "interval_95": interval(one.summary),
            "values": one.values,
            "seeds": one.seeds,
            "nats_per_token_of_a_bit_per_byte": one.tokens,
            "notes": one.notes,
            "warnings": one.warnings,
        }

    test = comparison.test
    return {
        "track": track,
        "date": date or None,
        "ours": side(comparison.ours),
        "theirs": side(comparison.theirs),
        "difference": asdict(comparison.difference),
        "test": test and {"method": comparison.method, **asdict(test)},
        "why": comparison.why,
        "verdicts": [asdict(one) for one in said],
        "policies": [asdict(one) for one in policies],
        "warnings": comparison.ours.warnings + comparison.theirs.warnings,
    }


def print_comparison(comparison, said: Sequence) -> None:
    ours, theirs, difference = comparison.ours, comparison.theirs, comparison.difference
    rows = [*told_side("ours", ours), *told_side("against", theirs)]
    rows.append(("difference", f"{difference.bpb:+.5f} bpb, ours less theirs"))
    rows.append(("", f"{difference.nats_per_byte:+.5f} nats per byte"))
    if difference.nats_per_token is None:
        rows.append(("", f"nats per token: {difference.tokens}"))
    else:
        about = f", {difference.tokens}" if difference.tokens else ""
        rows.append(("", f"{difference.nats_per_token:+.5f} nats per token{about}"))
    if test := comparison.test:
        found = f"t = {test.t:.3f}, df = {test.df:.2f}, p = {test.p_less:.3g}, one-sided"
        rows.append((comparison.method, found))
    if comparison.why:
        rows.append(("" if comparison.test else "test", comparison.why))
    words = {True: "met", False: "not met", None: "cannot be told"}
    for one in said:
        against = f" against {one.against}" if one.against != theirs.name else ""
        rows.append((one.policy, f"{words[one.met]}{against}: {one.reason}"))
    rows += [("warning", warning) for warning in (*ours.warnings, *theirs.warnings)]
    table(rows, most=columns())


def told_side(label: str, side) -> list[tuple[str, str]]:
    """Name, runs, mean, deviation and interval of one side."""
    from pgolf_compose.statistics import interval

    known = side.summary
    rows = [(label, side.name)]
    if side.values:
        seeds = side.seeds or [None] * len(side.values)
        pairs = zip(side.values, seeds, strict=True)
        told = [f"{v:.5f}" + (f" (seed {s})" if s is not None else "") for v, s in pairs]
        rows.append(("", ", ".join(told)))
    runs = f"{known.n} run{'s' * (known.n != 1)}"
    spread = "no spread is known" if known.std is None else f"std {known.std:.5f}"
    told = f"mean {known.mean:.5f}, {spread}, {runs}"
    if reach := interval(known):
        told += f"; 95 % interval {reach[0]:.5f} to {reach[1]:.5f}"
    return [*rows, ("", told), *(("", note) for note in side.notes)]
