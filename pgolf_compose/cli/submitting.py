"""`submit`: the folder of a pull request."""

from pathlib import Path

import click

from pgolf_compose.cli.shared import (
    allow_option,
    keep_option,
    pack_option,
    path_option,
    recipe_options,
    size,
    table,
)
from pgolf_compose.errors import ComposeError

__all__ = ["submit"]


@click.command()
@click.argument("recipe")
@click.argument("more", nargs=-1, metavar="", type=click.Path(path_type=Path))
@path_option(
    "--logs", multiple=True, metavar="LOG...", help="Logs of its runs, or folders of them."
)
@path_option("-o", "--output", default=".", help="Where records/ lies, or is made.")
@click.option("--date", help="YYYY-MM-DD; today if left out.")
@click.option("--against", default="", metavar="ROW", help="pr1493 of the leaderboard, or best.")
@click.option(
    "--force",
    is_flag=True,
    help="Write over what somebody changed, and over a log of the same seed.",
)
@pack_option
@keep_option
@allow_option
@recipe_options
def submit(recipe, more, logs, output, date, against, force, **options) -> None:
    """Make the folder of a pull request, or bring it up to date: records/TRACK/DATE_NAME.

    Every figure is one of LOG, with its line. A log that is not of this very script, recipe and
    seed is refused; logs that lie in the folder count without being named. What README.md holds
    outside of its pgolf-compose marks stays, and so do keys added to submission.json.
    """
    import datetime

    from pgolf_compose.build import compose
    from pgolf_compose.files import write_files
    from pgolf_compose.product import product
    from pgolf_compose.submission import submission, submission_folder

    if more and not logs:
        raise click.UsageError(f"{more[0]}: logs are named after --logs")
    build = compose(recipe, **options)
    date = date or build.composition.recipe.submission.get("date")
    date = date or datetime.date.today().isoformat()
    try:
        # other spellings of a date would name other folders
        if datetime.date.fromisoformat(date).isoformat() != date:
            raise ValueError
    except ValueError:
        raise ComposeError(f"{date} is no date; write it like 2026-04-05") from None
    folder = submission_folder(build, output, date)
    made = submission(build, folder, date, [*logs, *more], force, against)
    write_files(made.files, force, ours=made.ours)
    for path in made.files:
        click.echo(path)
    table([("results", told(made.results)), *problems(made)])
    whole = product(build)
    table([("composes", f"{size(whole.small)}, the file that counts"), *whole.told])


def told(results) -> str:
    runs, pending = results.runs, results.pending
    if not runs:
        return "pending: no log has been read"
    mean = results.mean("val_bpb")
    seeds = f"{len(runs)} seed{'s' * (len(runs) > 1)}"
    score = f"val_bpb {mean:f}, mean of {seeds}" if len(runs) > 1 else f"val_bpb {mean:f}, {seeds}"
    left = f"; pending: {len(pending)} more" if pending else ""
    return f"{score if mean is not None else seeds + ', not all with a score'}{left}"


def problems(made) -> list[tuple[str, str]]:
    """What the page says is not met, and what else to know."""
    found = [
        ("not met", f"{one.demand}: {one.evidence}") for one in made.checks if one.met is False
    ]
    return [*found, *(("note", one) for one in made.remarks)]
