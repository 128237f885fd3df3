"""`audit`: whether a submission's folder holds together."""

from pathlib import Path

import click

from pgolf_compose.cli.shared import echo_json, json_option, plugins_option
from pgolf_compose.errors import ComposeError

__all__ = ["audit"]

LONGEST = 1_000  # characters of a line that is printed


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--track", metavar="TRACK", help="If neither the folder above nor the json names it.")
@click.option(
    "--recompose",
    is_flag=True,
    help="Import techniques that the folder brings along: this runs their code.",
)
@plugins_option
@json_option
def audit(folder, track, recompose, plugins, as_json) -> None:
    """Check a submission's folder, ours or anyone's: files, bytes, logs, README, recipe.

    Nothing of the folder is executed, links are not followed. Exit code 0: no errors were found;
    1: there are errors; 2: the command was mistaken.
    """
    from pgolf_compose import audit as audits
    from pgolf_compose.plugins import load_library, pick

    if not folder.is_dir():
        what = "audit takes a submission's folder" if folder.exists() else "there is no such folder"
        raise ComposeError(what, folder)
    library = load_library(plugins)
    chosen = pick("track", track, library.tracks) if track else None
    report = audits.audit(folder, chosen, recompose, library, plugins=plugins)
    if as_json:
        echo_json(as_data(report))
    else:
        show(report)
    if report.errors:
        raise SystemExit(1)


def as_data(report) -> dict:
    return {
        "folder": str(report.path),
        "passes": not report.errors,
        "findings": [
            {
                "level": one.level,
                "file": one.where.file,
                "line": one.where.line or None,
                "column": one.where.column or None,
                "what": one.what,
                "todo": one.todo,
            }
            for one in report.findings
        ],
        "passed": [one.what for one in report.passed],
        "unchecked": [{"what": one.what, "why": one.why} for one in report.unchecked],
        "checks": list(report.checks),
    }


def show(report) -> None:
    for level in ("error", "warning", "note"):
        found = [one for one in report.findings if one.level == level]
        for one in found:
            click.echo(plain(f"{level}: {one.where}: {one.what}; {one.todo}"))
        if found:
            click.echo()
    for one in report.passed:
        click.echo(plain(f"ok: {one.what}"))
    reasons: dict[str, list[str]] = {}
    for one in report.unchecked:
        reasons.setdefault(one.why, []).append(one.what)
    for why, things in reasons.items():
        click.echo(plain(f"not checked: {', '.join(things)}: {why}"))
    counts = [
        f"{number} {level}{'s' if number != 1 else ''}"
        for level in ("error", "warning", "note")
        if (number := sum(one.level == level for one in report.findings))
    ]
    found = ", ".join(counts) or "nothing found"
    missing = f"; {len(report.unchecked)} things not checked" if report.unchecked else ""
    verdict = "does not pass" if report.errors else "passes"
    click.echo(plain(f"\n{report.path} {verdict}: {found} by {len(report.checks)} checks{missing}"))


def plain(text: str) -> str:
    """Without what a stranger's file might tell the terminal to do."""
    text = text if len(text) < LONGEST else f"{text[:LONGEST]}..."
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
