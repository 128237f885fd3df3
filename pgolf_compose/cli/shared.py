"""Options that several commands take, and tables and JSON for a terminal."""

import functools
import json
from collections.abc import Callable
from pathlib import Path

import click

__all__ = [
    "allow_option",
    "echo_json",
    "json_option",
    "keep_option",
    "pack_option",
    "path_option",
    "plugins_option",
    "recipe_options",
    "size",
    "size_in_lines",
    "table",
]

path_option = functools.partial(click.option, metavar="PATH", type=click.Path(path_type=Path))


plugins_option = path_option(
    "--plugins", multiple=True, metavar="DIR", help="A folder of more techniques."
)


def recipe_options(command: Callable) -> Callable:
    """`--set --with --without --plugins`, handed on as the keywords of `compose`."""
    options = [
        click.option("--set", "set", multiple=True, metavar="NAME=VALUE", help="Set xsa.last_n=4."),
        click.option("--with", "added", multiple=True, metavar="TECHNIQUE", help="Add one."),
        click.option("--without", "removed", multiple=True, metavar="TECHNIQUE", help="Drop one."),
        plugins_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


allow_option = click.option(
    "--allow-noncompliant",
    is_flag=True,
    help="Compose what breaks a rule of its track, and say so.",
)


pack_option = click.option(
    "--pack",
    metavar="PACKER",
    default="instant",
    help="instant, or smallest: fewer bytes, seconds to start.",
)


keep_option = click.option(
    "--keep",
    multiple=True,
    metavar="NAME",
    help="Of the environment; the small file still reads it.",
)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def echo_json(data: object) -> None:
    click.echo(json.dumps(data, indent=2, default=str))


def table(rows: list[tuple[str, ...]], indent: str = "") -> None:
    """Columns as wide as their widest cell; the last one runs on."""
    if rows:
        widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]) - 1)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
            click.echo((indent + "  ".join([*cells, row[-1]])).rstrip())


def size(text: str) -> str:
    return f"{len(text.encode()):,} bytes"


def size_in_lines(text: str) -> str:
    return f"{size(text)} in {len(text.splitlines()):,} lines"
