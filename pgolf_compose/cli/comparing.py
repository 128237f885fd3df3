"""`diff`: two recipes or scripts."""

import os
from pathlib import Path

import click

from pgolf_compose.cli.shared import echo_json, json_option, recipe_options, table

__all__ = ["diff"]


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--run", is_flag=True, help="Run both, tiny, on the CPU: compare what they compute.")
@click.option("--bytes", "as_bytes", is_flag=True, help="Bytes of both small files by technique.")
@json_option
@recipe_options
def diff(a, b, run, as_bytes, as_json, **options) -> None:
    """Compare recipes or scripts: techniques, values, text. Exit code 1 if they differ.

    The options change B: `diff baseline baseline --with metrics`.
    """
    if run and as_bytes:
        raise click.UsageError("choose one of --run and --bytes")
    if run:
        diff_runs(a, b, as_json, options)
        return
    if as_bytes:
        diff_bytes(a, b, as_json, options)
        return
    from pgolf_compose.diff import compare

    found = compare(a, b, **options)
    if as_json:
        echo_json({"composition": found.composition, "text": found.text})
    else:
        for change in found.composition:
            click.echo(change)
        if found.composition and found.text:
            click.echo()
        for line in found.text:
            color = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            click.echo(line if "NO_COLOR" in os.environ else click.style(line, fg=color))
    if found.composition or found.text:
        click.get_current_context().exit(1)


def diff_bytes(a: str, b: str, as_json: bool, options: dict) -> None:
    from pgolf_compose.diff import compare_bytes

    found = compare_bytes(a, b, **options)
    rows = [*found, ("all", sum(row[1] for row in found), sum(row[2] for row in found))]
    if as_json:
        echo_json([dict(zip(("name", "a", "b"), row, strict=True)) for row in rows])
    else:
        width = max(len(name) for name, *_ in rows)
        click.echo(f"{'':{width}}  {'A':>7}  {'B':>7}  {'B - A':>7}")
        for name, one, other in rows:
            click.echo(f"{name:{width}}  {one:>7,}  {other:>7,}  {other - one:>+7,}")
    if any(one != other for _, one, other in found):
        click.get_current_context().exit(1)


def diff_runs(a: str, b: str, as_json: bool, options: dict) -> None:
    from pgolf_compose.diff import run_and_compare
    from pgolf_compose.trace import first_difference

    found = run_and_compare(a, b, Path("out", "diff"), **options)
    first = first_difference(found)
    if as_json:
        kinds = {
            one.kind: {
                "compared": list(one.counts),
                "different": one.different,
                "largest": one.largest,
                "first": one.first or None,
            }
            for one in found
        }
        echo_json({"agree": not first, "first": first or None, "kinds": kinds})
    else:
        if first:
            click.echo(f"first difference: {first}")
        table([(one.kind, told_comparison(one)) for one in found])
    if first:
        click.get_current_context().exit(1)


def told_comparison(one) -> str:
    count, other = one.counts
    told = f"{count:,}" if count == other else f"{count:,} against {other:,}"
    if one.agrees:
        return f"{told}, all the same"
    most = "" if one.largest is None else f", {one.largest:.3g} apart at most"
    return f"{told}, {one.different:,} differ{most}"
