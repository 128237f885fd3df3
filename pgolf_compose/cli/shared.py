"""Options that several commands take, and tables and JSON for a terminal."""

import functools
import json
import os
import shutil
import sys
import textwrap
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


def columns() -> int | None:
    """The width of the terminal, or COLUMNS; None where lines go elsewhere and may be long."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return shutil.get_terminal_size().columns
    return None


def table(rows: list[tuple[str, ...]], indent: str = "", most: int | None = None) -> None:
    """Columns as wide as their widest cell; the last one runs on, or wraps to `most` columns."""
    if rows:
        widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]) - 1)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
            start = indent + "".join(f"{cell}  " for cell in cells)
            for line in wrapped(row[-1], most and most - len(start)):
                click.echo((start + line).rstrip())
                start = " " * len(start)


def wrapped(text: str, most: int | None) -> list[str]:
    """A text's lines of at most `most` columns, or a few more: words stay whole."""
    if most is None:
        return [text]
    return textwrap.wrap(text, max(most, 30), break_long_words=False, break_on_hyphens=False) or [
        ""
    ]


def size(text: str) -> str:
    return f"{len(text.encode()):,} bytes"


def size_in_lines(text: str) -> str:
    return f"{size(text)} in {len(text.splitlines()):,} lines"
