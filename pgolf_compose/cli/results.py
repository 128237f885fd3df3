"""`results`: what logs and folders tell."""

import sys
from pathlib import Path

import click

from pgolf_compose.cli.against import against_options, show_against
from pgolf_compose.cli.shared import (
    columns,
    echo_json,
    json_option,
    path_option,
    plugins_option,
    table,
    wrapped,
)

__all__ = ["results"]


@click.command()
@click.argument(
    "paths", metavar="LOG_OR_FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--curves", is_flag=True, help="Plot training and validation loss.")
@path_option("--svg", metavar="FILE", help="Write the plot as an SVG.")
@click.option("--force", is_flag=True, help="Replace FILE though it was not written here.")
@against_options
@json_option
@plugins_option
def results(paths, curves, svg, force, as_json, plugins, against, **comparing) -> None:
    """What training logs tell: scores, sizes, steps, how far they came.

    A folder stands for the logs in it, and its submission.json is held to them. Exit code 1 if a
    log is not whole: cut off, crashed, without a score of the artifact or without training.

    \b
    Which score counts: the last evaluation of the compressed artifact that the
    log's last run printed. The order decides, never which is best; a better one
    that was printed before is told. Validation while training, diagnostics and
    running values do not count. `x` and `x_exact`, or one score under two names,
    are one evaluation: the printing with most digits counts, of equals the first.

    \b
    With --against: mean, deviation, 95 % interval, the difference in bits per byte
    and in nats per byte and per token, Welch's test, and what the track's policies
    say. A run counts once; of several of one seed the claimed one, else the worst.
    """
    if against:
        if curves or svg:
            raise click.UsageError("--curves and --svg go without --against")
        show_against(paths, against, **comparing, as_json=as_json, plugins=plugins)
        return
    if any(comparing.values()):
        raise click.UsageError("--policy, --date and --track go with --against")
    from pgolf_compose.results import gather, results_json, rows, summaries, warnings

    groups, told = gather(paths)
    logs = [log for group in groups for log in group.logs]
    if svg is not None:
        from pgolf_compose.curves import svg as drawn
        from pgolf_compose.files import write_files

        title = paths[0].resolve().name if len(paths) == 1 else f"{len(logs)} logs"
        write_files({svg: drawn(logs, title).encode()}, force, ours=[svg] if is_ours(svg) else ())
        told.append(f"wrote {svg}")
    for line in told:
        click.echo(line, err=True)
    if as_json:
        echo_json(results_json(groups))
    else:
        most = columns()
        for number, group in enumerate(groups):
            if number:
                click.echo()
            if group.folder is not None and len(groups) > 1:
                click.echo(f"{group.folder.path}:")
            if group.logs:
                show_table(rows(group.logs), most)
                if any(log.seed_from == "file name" for log in group.logs):
                    click.echo("seed?: of the file's name; the log prints none")
            for text in (*summaries(group), *(f"note: {one}" for one in warnings(group))):
                click.echo("\n  ".join(wrapped(text, most and most - 2)))
        if curves:
            click.echo()
            plot(logs)
    if not all(log.complete for log in logs):
        click.get_current_context().exit(1)


def is_ours(path: Path) -> bool:
    from pgolf_compose.curves import OURS

    if not path.is_file():
        return False
    with path.open("rb") as file:
        return OURS.encode() in file.read(1000)


def show_table(rows: list[tuple[str, ...]], most: int | None) -> None:
    """A table whose columns of numbers are flush right; blocks if it is wider than `most`."""
    from pgolf_compose.results import blocks

    right = [name not in ("log", "metric", "status") for name in rows[0]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if most is not None and sum(widths[:-1]) + 2 * len(widths) + len("complete") > most + 2:
        click.echo("\n".join(blocks(rows)))
        return
    table(
        [
            tuple(
                cell.rjust(width) if flush else cell
                for cell, width, flush in zip(row, widths, right, strict=True)
            )
            for row in rows
        ]
    )


def coloured(text: str, colour: str) -> str:
    return click.style(text, fg=colour)


def plot(logs) -> None:
    from pgolf_compose.curves import colour_wanted, terminal

    is_terminal = sys.stdout.isatty()
    width = max(30, min(columns() or 80, 160))
    style = coloured if colour_wanted(is_terminal) else None
    encoding = (sys.stdout.encoding or "ascii").lower()
    for line in terminal(logs, width, style=style, ascii_only="utf" not in encoding):
        click.echo(line)
