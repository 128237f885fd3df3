"""`compose`, `new` and `data`: what is written."""

from pathlib import Path

import click

from pgolf_compose.cli.shared import (
    allow_option,
    echo_json,
    json_option,
    keep_option,
    pack_option,
    path_option,
    recipe_options,
    size,
    size_in_lines,
    table,
)

__all__ = ["compose", "data", "new"]


@click.command(hidden=True)
@click.argument("recipe")
@path_option("-o", "--output", help="A folder, or the file if PATH ends in .py.")
@click.option("--readable", is_flag=True, help="Only the readable script.")
@click.option("--stdout", is_flag=True, help="Print the script, write nothing.")
@click.option("--check", is_flag=True, help="Compose and report, write nothing.")
@pack_option
@keep_option
@click.option("--force", is_flag=True, help="Replace files that were not written here.")
@allow_option
@recipe_options
def compose(recipe, output, readable, stdout, check, force, **options) -> None:
    """Compose RECIPE: write the small script and its readable twin."""
    from pgolf_compose.files import write_files
    from pgolf_compose.product import finished
    from pgolf_compose.recipe import find_recipe

    context = click.get_current_context()
    commands = context.parent.command.list_commands(context)
    path = find_recipe(recipe, kind="command or recipe", others=commands)
    if stdout and (output or check):
        raise click.UsageError("--stdout writes no file: leave out -o and --check")
    if readable:
        compose_readable(path, output, stdout, check, force, options)
        return
    made = finished(path, **options)
    if stdout:
        click.echo(made.small, nl=False)
        return
    files = {} if check else made.files(output)
    write_files(files, force)
    small, human = f"{size(made.small)}, the file that counts", size_in_lines(made.readable)
    if check:
        rows = [("composes", f"{small}; readable {human}")]
    else:
        script, twin, _ = files
        rows = [(str(script), small), (str(twin), f"{human}, the same program")]
    table([*rows, *made.told])


def compose_readable(path, output, stdout, check, force, options) -> None:
    """The readable script alone: nothing is shrunk, so nothing of the small file is told."""
    from pgolf_compose.build import compose
    from pgolf_compose.files import write_files
    from pgolf_compose.report import told

    build = compose(path, **options)
    if stdout:
        click.echo(build.readable, nl=False)
        return
    human = f"{build.composition.host.script}_human.py"
    script = output if output and output.suffix == ".py" else None
    script = script or (output or Path("out", build.name)) / human
    if not check:
        write_files({script: build.readable}, force)
    rows = [("composes" if check else str(script), size_in_lines(build.script.code))]
    table([*rows, *told(build, small=False)])


@click.command()
@click.argument("name")
@click.option("--from", "parent", metavar="RECIPE", help="Write a recipe that extends this one.")
@path_option("--in", "folder", help="Where the technique's folder is made: plugins.")
def new(name, parent, folder) -> None:
    """Start a technique with its test, or a recipe from another."""
    from pgolf_compose.scaffold import new_recipe, new_technique

    if parent or name.endswith((".yaml", ".yml")):
        if not parent:
            raise click.UsageError("say which recipe it starts from: --from baseline")
        path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
        written = new_recipe(path, parent)
        after = f"pgolf-compose {path} --check"
    else:
        folder = folder or Path("plugins")
        written = new_technique(name, folder)
        after = f"pytest {folder / name}\npgolf-compose baseline --with {name} --plugins {folder}"
    for path in written:
        click.echo(path)
    click.echo(f"\nnext:\n{after}")


@click.command()
@click.argument("variant")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--vocab-size", default=1024, show_default=True, type=click.IntRange(400, 8192), help="Of tiny."
)
@json_option
def data(variant, folder, vocab_size, as_json) -> None:
    """Make the tiny dataset in FOLDER (data/tiny), or check a fetched one there (data)."""
    from pgolf_compose.data import Dataset, check_dataset, check_files, make_tiny
    from pgolf_compose.plugins import load_library, pick

    dataset = pick("dataset", variant, load_library().datasets)
    made = ""
    if variant == "tiny":
        folder = folder or Path("data", "tiny")
        dataset = Dataset("tiny", dataset.summary, vocab_size)
        made = "made" if make_tiny(folder, vocab_size) else "already there"
    folder = folder or Path("data")
    if dataset.files:
        sizes = check_files(dataset, folder)
        if as_json:
            echo_json({"variant": variant, "folder": str(folder), "bytes": sizes})
        else:
            rows = [(name, f"{size:,} bytes") for name, size in sizes.items()]
            table([(variant, dataset.summary), *rows, ("use", f"DATA_DIR={folder}")])
        return
    train, val = check_dataset(dataset, folder)
    tokens = {"train": sum(s.tokens for s in train), "val": sum(s.tokens for s in val)}
    shards = {"train": len(train), "val": len(val)}
    if as_json:
        echo_json({"variant": variant, "folder": str(folder), "tokens": tokens, "shards": shards})
        return
    table(
        [
            (variant, f"{dataset.summary}; {made}" if made else dataset.summary),
            *(
                (
                    split,
                    f"{tokens[split]:,} tokens, shards: {shards[split]}, whole by their headers",
                )
                for split in ("train", "val")
            ),
            ("use", f"DATA_DIR={folder}"),
        ]
    )
