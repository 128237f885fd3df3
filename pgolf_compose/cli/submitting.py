"""`submit`: the folder of a pull request."""

import click

from pgolf_compose.cli.shared import allow_option, path_option, recipe_options, size, table
from pgolf_compose.errors import ComposeError

__all__ = ["submit"]


@click.command()
@click.argument("recipe")
@path_option("-o", "--output", default=".", help="Where records/ lies, or is made.")
@click.option("--date", help="YYYY-MM-DD; today if left out.")
@click.option("--force", is_flag=True, help="Replace files that were not written here.")
@allow_option
@recipe_options
def submit(recipe, output, date, force, **options) -> None:
    """Make the folder of a pull request, with results pending."""
    import datetime

    from pgolf_compose.build import compose
    from pgolf_compose.files import write_files
    from pgolf_compose.product import product
    from pgolf_compose.submission import submission_files, submission_folder, untouched

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
    files = submission_files(build, folder, date)
    write_files(files, force, ours=untouched(folder))
    for path in files:
        click.echo(path)
    click.echo("results are pending: no log has been read")
    made = product(build)
    table([("composes", f"{size(made.small)}, the file that counts"), *made.told])
