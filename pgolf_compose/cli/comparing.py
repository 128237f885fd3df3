"""`diff`: two recipes, scripts or folders."""

import os
import re
import shutil
from pathlib import Path

import click

from pgolf_compose.cli.shared import echo_json, json_option, recipe_options, table

__all__ = ["diff"]

FEW = 60  # lines of a text's difference that are shown unasked
COLORS = {"+": "green", "-": "red", "@": "cyan"}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--text", is_flag=True, help="All lines that differ, and which technique wrote each.")
@click.option("--bytes", "by_bytes", is_flag=True, help="What each technique takes, too; seconds.")
@click.option("--run", is_flag=True, help="Run both, tiny, on the CPU: compare what they compute.")
@json_option
@recipe_options
def diff(a, b, text, by_bytes, run, as_json, **options) -> None:
    """Compare two recipes, scripts or folders, in layers.

    \b
    techniques   of recipes, and of scripts that were composed here
    values       hyperparameters: of scripts by their names in the environment
    functions    and classes: added, removed, changed, moved, renamed
    text         line by line; up to 60 lines are shown unasked
    bytes        technique by technique, with --bytes
    results      of two folders: what submission.json states, and each seed's score

    A and B are recipes, Python files (packed ones are opened, and nothing of them is run) or
    folders with a train_gpt.py. A bundled recipe's name comes before a file's: ./NAME is the file.
    Options that change a recipe change B: `diff baseline baseline --with metrics`.

    Functions are compared as trees: formatting, comments, docstrings, annotations that nothing
    reads and names of local variables are no difference. Where names were made short, functions
    are found by their structure.

    Exit code 0 if they are the same program: nothing differs, or only formatting, comments and
    names. 1 if techniques, values, results or (where asked for) bytes differ, or functions: one
    that only moved counts, one that was only renamed does not. 2 for a mistake.
    """
    if run and (by_bytes or text):
        raise click.UsageError("--run goes with neither --bytes nor --text")
    if run:
        diff_runs(a, b, as_json, options)
        return
    from pgolf_compose.diff import compare

    found = compare(a, b, by_bytes, text, **options)
    if as_json:
        echo_json(as_data(found))
    else:
        show(found, text)
    if not found.same:
        click.get_current_context().exit(1)


def show(found, text: bool) -> None:
    blocks = [sides(found), techniques(found), values(found), functions(found), sizes(found)]
    blocks += [results(found), lines(found, text)]
    blocks.append([f"note: {clean(note)}" for note in found.notes])
    click.echo("\n\n".join("\n".join(block) for block in blocks if block))


def clean(text: str) -> str:
    """Without what a terminal would obey."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def colored(text: str, color: str | None) -> str:
    return text if "NO_COLOR" in os.environ or not color else click.style(text, fg=color)


def columns() -> int:
    return min(100, shutil.get_terminal_size((100, 24)).columns)


def sides(found) -> list[str]:
    rows = []
    for mark, side in (("A", found.a), ("B", found.b)):
        size = f", {side.size:,} bytes" if side.size is not None else ""
        rows.append(f"{mark}  {clean(side.word)}: {clean(side.told)}{size}")
    if found.same:
        changed = any(line.sign in "+-" for line in found.text or ())
        renamed = found.functions and found.functions.changes
        only = "; only formatting, comments or names differ" if changed or renamed else ""
        rows.append(f"{'the same program' if found.a.has_program else 'the same results'}{only}")
    return rows


def listed(title: str, words: list[str], color: str) -> list[str]:
    """Words after a title, wrapped below each other."""
    if not words:
        return []
    start = f"  {title:8} "
    whole = ", ".join(words).replace(" ", "\0").replace(",\0", ", ")  # no word is broken
    told = click.wrap_text(whole, columns(), start, " " * len(start))
    first, *rest = told.replace("\0", " ").split("\n")
    return [f"  {colored(title, color)}{first[len(title) + 2:]}", *rest]


def techniques(found) -> list[str]:
    if not found.techniques:
        return []
    rows = [f"  {colored(one, COLORS[one[0]])}" for one in found.techniques]
    return ["techniques", *rows]


def values(found) -> list[str]:
    rows = [f"  {clean(one)}" for one in found.settings or ()]
    every = found.values or ()
    both = [one for one in every if None not in (one.before, one.after)]
    width = max((len(one.name) for one in both), default=0)
    rows += [clean(f"  {one.name:{width}}  {one.before} -> {one.after}") for one in both]
    gone = [clean(f"{one.name} {one.before}") for one in every if one.after is None]
    new = [clean(f"{one.name} {one.after}") for one in every if one.before is None]
    rows += listed("only A", gone, "red") + listed("only B", new, "green")
    return ["values", *rows] if rows else []


def functions(found) -> list[str]:
    told = found.functions
    if not told or not told.changes:
        return []
    by = ", by structure: names were made short" if told.by_structure else ""
    rows = [f"functions and classes ({told.same} the same{by}; lines in brackets)"]
    for kind, color in (("removed", "red"), ("added", "green")):
        some = [one for one in told.changes if one.kind == kind]
        words = [clean(f"{noun(one)} ({one.removed or one.added:,})") for one in some]
        rows += listed(kind, words, color)
    changes = [one for one in told.changes if one.kind == "changed"]
    width = max((len(clean(both(one))) for one in changes), default=0)
    for one in changes:
        gone, new = f"{-one.removed:>5}" if one.removed else " " * 5, f"{one.added:<+5}"
        count = f"{colored(gone, 'red')} {colored(new if one.added else ' ' * 5, 'green')}"
        rows.append(f"  changed  {clean(both(one)):{width}} {count} {one.same:>4.0%} the same")
    for kind in ("moved", "renamed"):
        some = [clean(both(one)) for one in told.changes if one.kind == kind]
        rows += listed(kind, some, "cyan")
    return rows


def noun(one) -> str:
    return f"{'class ' * (one.what == 'class')}{one.name or one.other}"


def both(one) -> str:
    return noun(one) if one.name == one.other else f"{noun(one)} -> {one.other}"


def counted(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"


def sizes(found) -> list[str]:
    if found.bytes is None:
        return []
    rows = [*found.bytes, ("all", *(sum(row[n] for row in found.bytes) for n in (1, 2)))]
    width = max(len(name) for name, *_ in rows)
    told = [f"{'bytes':{width}}  {'A':>7}  {'B':>7}  {'B - A':>7}"]
    told += [f"{name:{width}}  {a:>7,}  {b:>7,}  {b - a:>+7,}" for name, a, b in rows]
    return told


def results(found) -> list[str]:
    """Figures side by side, those that differ with how much."""
    if not found.results:
        return []
    rows = [("results", "A", "B", "B - A")]
    for one in found.results:
        both = one.differs and None not in (one.before, one.after)
        change = figure(one.after - one.before, "+") if both else ""
        rows.append((f"  {one.name}", figure(one.before), figure(one.after), change))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [clean(name).ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        ).rstrip()
        for name, *cells in rows
    ]


def figure(value, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.8f}".rstrip("0").rstrip(".")


def lines(found, text: bool) -> list[str]:
    if found.text is None and not (found.a.has_program and found.b.has_program):
        return ["no programs compared: a folder holds none"]
    if found.text is None:
        return ["text: not compared, names were made short; --text shows it all the same"]
    gone, new = (sum(line.sign == sign for line in found.text) for sign in "-+")
    if not gone and not new:
        return []
    told = f"text: {counted(gone)} only in A, {counted(new)} only in B"
    if not text and len(found.text) > FEW:
        return [f"{told}; --text shows them"]
    owners = ["" if line.technique == "host" else line.technique for line in found.text]
    width = max(map(len, owners))
    rows = [told]
    for line, owner in zip(found.text, owners, strict=True):
        gutter = f"{owner:>{width}} " if width else ""
        sign = "" if line.sign == "@" else line.sign
        rows.append(f"{gutter}{colored(clean(sign + line.text), COLORS.get(line.sign))}")
    return rows


def as_number(value) -> int | float | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def as_data(found) -> dict:
    """All layers for programs; null where one was not told."""
    signs = {"removed": "- ", "added": "+ "}
    return {
        **{
            name: {"word": side.word, "what": side.told, "bytes": side.size}
            for name, side in (("a", found.a), ("b", found.b))
        },
        "same": found.same,
        "techniques": (
            None
            if found.techniques is None
            else {
                key: [one[2:] for one in found.techniques if one.startswith(sign)]
                for key, sign in signs.items()
            }
        ),
        "settings": found.settings,
        "values": (
            None
            if found.values is None
            else [{"name": one.name, "a": one.before, "b": one.after} for one in found.values]
        ),
        "functions": (
            None
            if found.functions is None
            else {
                "by": "structure" if found.functions.by_structure else "names",
                "same": found.functions.same,
                "changes": [
                    {
                        "change": one.kind,
                        "kind": one.what,
                        "a": one.name or None,
                        "b": one.other or None,
                        "lines": one.numbers,
                        "removed": one.removed,
                        "added": one.added,
                        "same": round(one.same, 4),
                    }
                    for one in found.functions.changes
                ],
            }
        ),
        "text": None if found.text is None else [vars(line) for line in found.text],
        "bytes": (
            None
            if found.bytes is None
            else [dict(zip(("name", "a", "b"), row, strict=True)) for row in found.bytes]
        ),
        "results": (
            None
            if found.results is None
            else [
                {"name": one.name, "a": as_number(one.before), "b": as_number(one.after)}
                for one in found.results
            ]
        ),
        "notes": found.notes,
    }


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
