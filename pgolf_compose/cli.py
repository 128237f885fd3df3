"""The command line: the only module that prints, reads arguments or exits."""

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from pgolf_compose import __version__
from pgolf_compose.errors import ComposeError, listed

__all__ = ["main"]


class Commands(click.Group):
    """Commands by name; anything else is a recipe to compose."""

    def parse_args(self, ctx, args):
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help", "--version"):
            args = ["compose", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx):
        return [name for name in self.commands if not self.commands[name].hidden]

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except ComposeError as error:
            click.echo(error, err=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            click.echo(f"{where}{error.strerror or error}", err=True)
        ctx.exit(2)


CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=Commands, context_settings=CONTEXT, subcommand_metavar="RECIPE | COMMAND ...")
@click.version_option(__version__, prog_name="pgolf-compose")
def main() -> None:
    """Turn a short YAML recipe into one small train_gpt.py for Parameter Golf.

    \b
    pgolf-compose RECIPE              write out/<name>/train_gpt.py and its readable twin
    pgolf-compose RECIPE --readable   only the readable one

    RECIPE is a YAML file, a bundled recipe's name or the beginning of it, or pr1493.
    `pgolf-compose compose --help` lists the options.
    """


path_option = functools.partial(click.option, metavar="PATH", type=click.Path(path_type=Path))


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


plugins_option = path_option(
    "--plugins", multiple=True, metavar="DIR", help="A folder of more techniques."
)
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


@main.command(hidden=True)
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

    commands = main.list_commands(click.get_current_context())
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
    script = output if output and output.suffix == ".py" else None
    script = script or (output or Path("out", build.name)) / "train_gpt_human.py"
    if not check:
        write_files({script: build.readable}, force)
    rows = [("composes" if check else str(script), size_in_lines(build.script.code))]
    table([*rows, *told(build, small=False)])


def size(text: str) -> str:
    return f"{len(text.encode()):,} bytes"


def size_in_lines(text: str) -> str:
    return f"{size(text)} in {len(text.splitlines()):,} lines"


@main.command("list")
@click.argument("word", default="")
@click.option("--recipes", "what", flag_value="recipes", help="Bundled recipes.")
@click.option("--places", "what", flag_value="places", help="Slots and parts of the host script.")
@click.option("--tracks", "what", flag_value="tracks", help="Competitions and their limits.")
@click.option("--datasets", "what", flag_value="datasets", help="Dataset variants.")
@json_option
@plugins_option
def list_command(word, what, as_json, plugins) -> None:
    """List techniques, or what an option names; WORD filters."""
    from pgolf_compose.plugins import load_library

    rows = listing(what or "techniques", load_library(plugins))
    rows = [row for row in rows if word.lower() in " ".join(map(str, row.values())).lower()]
    if as_json:
        echo_json(rows)
    elif rows:
        keep = [key for key in rows[0] if any(row[key] for row in rows)]
        table([tuple(str(row[key] or "") for key in keep) for row in rows])
    else:
        click.echo(f"nothing matches {word!r}" if word else "there are none", err=True)


def listing(what: str, library) -> list[dict]:
    """Rows of what is asked for, each with the same keys."""
    if what == "recipes":
        from pgolf_compose.recipe import bundled_recipes, read_recipe

        recipes = map(read_recipe, bundled_recipes().values())
        return [
            {
                "name": one.name,
                "track": one.track.value,
                "extends": one.parent.name if one.parent else "",
                "techniques": ", ".join(sorted(one.techniques)),
            }
            for one in recipes
        ]
    if what == "places":
        from pgolf_compose.places import read_places

        return [
            {"name": one.name, "kind": one.kind, "where": one.origin.file.path.name}
            | {"scope": one.scope}
            for host in library.hosts.values()
            for one in read_places(host).values()
        ]
    if what == "techniques":
        return [
            {
                "name": one.name,
                "from": library.provider(one),
                "summary": one.summary,
                "source": one.source,
                "rules": "for measuring" if one.measuring else told_rules(one),
            }
            for one in library.techniques.values()
        ]
    return [{"name": one.name, "summary": one.summary} for one in getattr(library, what).values()]


def told_rules(technique) -> str:
    """`breaks C3 and 1` or `keeps C4`."""

    verb, rules = ("breaks", technique.breaks) if technique.breaks else ("keeps", technique.keeps)
    return f"{verb} {listed(rules)}" if rules else ""


@main.command()
@click.argument("what", default="")
@click.option("--lines", is_flag=True, help="The script, and who wrote each line.")
@click.option("--yaml", "as_yaml", is_flag=True, help="The recipe, extending nothing.")
@click.option("--schema", is_flag=True, help="JSON Schema of a recipe, or of WHAT.")
@click.option("--bytes", "as_bytes", is_flag=True, help="Where the bytes of code and model go.")
@click.option("--marginal", is_flag=True, help="With --bytes: compose without each technique too.")
@json_option
@recipe_options
def show(what, lines, as_yaml, schema, as_bytes, marginal, as_json, **options) -> None:
    """Show a technique, a place or a recipe: values, and where each came from."""
    from pgolf_compose.places import read_places
    from pgolf_compose.plugins import load_library

    forms = [lines, as_yaml, schema, as_json]
    if sum(forms) > 1 and not (schema and as_json and sum(forms) == 2):
        raise click.UsageError("choose one of --lines, --yaml, --schema and --json")
    if marginal and not as_bytes:
        raise click.UsageError("--marginal goes with --bytes")
    if as_bytes and (lines or as_yaml or schema):
        raise click.UsageError("--bytes goes with no other option than --json and --marginal")
    library = load_library(options["plugins"])
    if as_bytes and what in library.techniques:
        raise click.UsageError(f"{what} is a technique: --bytes goes with a recipe")
    if as_bytes and what:
        show_bytes(found_recipe(what, library), marginal, as_json, options)
    elif schema:
        show_schema(what, library)
    elif not what:
        raise click.UsageError("name a technique, a place or a recipe, or ask for --schema")
    elif (lines or as_yaml) and what in library.techniques:
        raise click.UsageError(f"{what} is a technique: --lines and --yaml go with a recipe")
    elif what in library.techniques:
        show_technique(library.techniques[what], library, as_json)
    elif places := [p[what] for h in library.hosts.values() if what in (p := read_places(h))]:
        show_place(places[0], library, as_json)
    else:
        show_recipe(what, library, lines, as_yaml, as_json, options)


def show_schema(what: str, library) -> None:
    from pgolf_compose.plugins import pick
    from pgolf_compose.recipe import Recipe, read_recipe
    from pgolf_compose.schema import recipe_schema, settings_model

    if what in library.techniques:
        echo_json(settings_model(library.techniques[what]).model_json_schema())
        return
    recipe = Recipe("") if not what else read_recipe(found_recipe(what, library))
    host = library.hosts[pick("track", recipe.track.value, library.tracks).host]
    techniques = [one for one in library.techniques.values() if one.host == host.name]
    echo_json(recipe_schema(techniques, host))


def show_technique(technique, library, as_json: bool) -> None:
    from pgolf_compose.places import read_fragments

    fragments = read_fragments(technique)
    about = {
        "name": technique.name,
        "summary": technique.summary,
        "source": technique.source,
        "from": library.provider(technique) or "pgolf-compose",
        "seen in": ", ".join(users(technique.name)),
        "needs": ", ".join(technique.requires),
        "excludes": ", ".join(technique.conflicts),
        "switch": technique.switch,
        "measuring": "has no place in a submission" if technique.measuring else "",
        "several processes": technique.ranks_matter,
        **{
            f"rule {rule}": f"broken: {reason} ({where_binding(rule, library)})"
            for rule, reason in technique.breaks.items()
        },
        **{f"rule {rule}": f"kept: {reason}" for rule, reason in technique.keeps.items()},
    }
    settings = [
        {
            "setting": one.name,
            "environment": technique.env(one) or "settled",
            "default": one.default,
            "takes": one.wants,
            "help": f"{one.help}, {one.unit}" if one.unit else one.help,
        }
        for one in technique.hyperparameters
    ]
    code = [
        {"verb": one.verb, "place": one.place, "lines": len(one.origins), "where": str(one.origin)}
        for one in fragments
    ]
    if as_json:
        echo_json({**about, "settings": settings, "fragments": code})
        return
    table([(key, value) for key, value in about.items() if value])
    if settings:
        click.echo("\nsettings")
        table([tuple(str(value) for value in one.values()) for one in settings], "  ")
    for one in technique.hyperparameters:
        if one.options:
            click.echo(f"\n{one.name}: {one.help}")
            breaking = {name: f" [breaks {listed(rules)}]" for name, rules in one.breaks.items()}
            table([(n, text + breaking.get(n, "")) for n, text in one.options.items()], "  ")
    click.echo("\ncode")
    rows = [(one["verb"], one["place"], f"{one['lines']} lines", one["where"]) for one in code]
    table(rows, "  ")


def users(name: str) -> list[str]:
    """The bundled recipes that have the technique."""
    from pgolf_compose.recipe import bundled_recipes, read_recipe

    recipes = map(read_recipe, bundled_recipes().values())
    return [one.name for one in recipes if name in one.techniques]


def where_binding(rule: str, library) -> str:
    """What each track does with a technique that breaks the rule."""
    bound = [one for one in library.tracks.values() if rule in one.rules]
    told = [f"{one.name} {'refuses it' if one.record else 'says so'}" for one in bound]
    return ", ".join(told) or "no track has this rule"


def show_place(place, library, as_json: bool) -> None:
    from pgolf_compose.places import read_fragments

    users = [
        one.name
        for one in library.techniques.values()
        if any(fragment.place == place.name for fragment in read_fragments(one))
    ]
    about = {
        "name": place.name,
        "kind": place.kind,
        "where": str(place.origin),
        "scope": place.scope,
        "used by": ", ".join(users),
    }
    if as_json:
        echo_json(about)
    else:
        table([(key, value) for key, value in about.items() if value])


def found_recipe(what: str, library) -> Path:
    """The recipe meant, where a technique or place could have been meant as well."""
    from pgolf_compose.places import read_places
    from pgolf_compose.recipe import find_recipe

    places = [name for host in library.hosts.values() for name in read_places(host)]
    others = [*library.techniques, *places]
    return find_recipe(what, kind="technique, place or recipe", others=others)


def show_recipe(what: str, library, lines, as_yaml, as_json, options: dict) -> None:
    from pgolf_compose.build import compose, resolve_recipe

    path = found_recipe(what, library)
    if lines:
        build = compose(path, **options, allow_noncompliant=True)
        owners = ["" if one.owner == "host" else one.owner for one in build.script.origins]
        width = max(map(len, owners))
        wheres = [f"{one.file.label}:{one.line}" for one in build.script.origins]
        for line, owner, where in zip(build.script.lines, owners, wheres, strict=True):
            click.echo(f"{owner:>{width}} {where:<34} | {line}".rstrip())
        return
    from pgolf_compose.resolve import Changes

    changes = Changes(options["set"], options["added"], options["removed"])
    _, composition = resolve_recipe(path, changes, options["plugins"])
    if as_yaml:
        from pgolf_compose.flatten import flattened

        click.echo(flattened(composition), nl=False)
        return
    values = [
        {
            "name": (
                f"{one.declared.name}.{one.hyperparameter.name}"
                if one.declared is not composition.host
                else one.hyperparameter.name
            ),
            "value": one.value,
            "from": str(one.where) if one.where is not None else "default",
        }
        for one in composition.assignments
    ]
    if as_json:
        techniques = [one.name for one in composition.techniques]
        echo_json({"name": composition.name, "techniques": techniques, "values": values})
        return
    from pgolf_compose.recipe import written
    from pgolf_compose.report import verdict

    chain, above = {composition.recipe.path: composition.name}, composition.recipe.parent
    while above:  # what the command line changed stands in a recipe of the same file
        chain[above.path], above = above.name, above.parent
    rows = [("recipe", " extends ".join(chain.values())), ("track", composition.track.name)]
    rows.append(("rules", verdict(composition)))
    table([*rows, ("techniques", ", ".join(one.name for one in composition.techniques) or "none")])
    click.echo()
    table([(one["name"], written(one["value"]), one["from"]) for one in values])


def show_bytes(path: Path, marginal: bool, as_json: bool, options: dict) -> None:
    """Of the small file by technique and by section, of the model by class of tensors."""
    from pgolf_compose.account import MARGINAL, METHOD, account
    from pgolf_compose.account import marginal as without_it
    from pgolf_compose.build import compose
    from pgolf_compose.report import classes

    def without(name: str):
        removed = (*options["removed"], name)
        return compose(path, **{**options, "removed": removed}, allow_noncompliant=True)

    build = compose(path, **options, allow_noncompliant=True)
    techniques, sections = account(build)
    chosen = {one.name for one in build.composition.techniques}
    rows = [vars(row) for row in techniques]
    if marginal:
        for row in rows:
            row["marginal"] = (
                without_it(build, row["name"], without) if row["name"] in chosen else None
            )
    method = f"{METHOD}; {MARGINAL}" if marginal else METHOD
    model, why = classes(build)
    if as_json:
        echo_json(
            {
                "model": [vars(one) for one in model] or why,
                "file": len(build.packed),
                "method": method,
                "techniques": rows,
                "sections": [vars(row) for row in sections],
            }
        )
        return
    for title, found in (("technique", rows), ("section", [vars(row) for row in sections])):
        bytes_table(title, found)
        click.echo()
    click.echo(f"{method}\n")
    model_table(model)
    click.echo(MODEL_METHOD if model else f"model: {why}")


def model_table(classes: list) -> None:
    """Each class of tensors with its bits and bytes, and their sum."""
    if not classes:
        return
    width = max(len(one.name) for one in classes)
    click.echo(
        f"{'model':{width}}  tensors     numbers  bits  left of it  {'bytes, compressed':>23}"
    )
    for one in classes:
        click.echo(
            f"{one.name:{width}}  {one.tensors:>7}  {one.numbers:>10,}  {one.bits:>4}"
            f"  {one.entropy:>10.3f}  {one.bytes[0]:>10,} to {one.bytes[1]:>10,}"
        )
    tensors, numbers = sum(one.tensors for one in classes), sum(one.numbers for one in classes)
    least, most = (sum(one.bytes[end] for one in classes) for end in (0, 1))
    sums = f"{'all':{width}}  {tensors:>7}  {numbers:>10,}"
    click.echo(f"{sums}  {'':4}  {'':10}  {least:>10,} to {most:>10,}")


MODEL_METHOD = (
    "model: the entropy of Gaussian rows on the script's own grid, times what its codec made of it "
    "in public runs; all of those lie within 0.2 % of the middle"
)


def bytes_table(title: str, rows: list[dict]) -> None:
    """Right-aligned numbers under their names, a sum, and why a number is not there."""
    columns = ["readable", "minified", "packed", *["marginal"] * ("marginal" in rows[0])]
    sums = {"name": "all"} | {key: sum(row[key] for row in rows) for key in columns[:3]}
    width = max(len(row["name"]) for row in rows)
    click.echo(f"{title:{width}}  {'  '.join(f'{column:>8}' for column in columns)}")
    for row in [*rows, sums]:
        values = [row.get(column) for column in columns]
        cells = [f"{value:>8,}" if isinstance(value, int) else f"{'-':>8}" for value in values]
        why = next((value for value in values if isinstance(value, str)), "")
        click.echo(f"{row['name']:{width}}  {'  '.join(cells)}  {why}".rstrip())


@main.command()
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


@main.command()
@click.argument("variant")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--vocab-size", default=1024, show_default=True, type=click.IntRange(400, 8192), help="Of tiny."
)
@json_option
def data(variant, folder, vocab_size, as_json) -> None:
    """Make the tiny dataset in FOLDER (data/tiny), or check a fetched one there (data)."""
    from pgolf_compose.data import Dataset, check_dataset, make_tiny
    from pgolf_compose.plugins import load_library, pick

    dataset = pick("dataset", variant, load_library().datasets)
    made = ""
    if variant == "tiny":
        folder = folder or Path("data", "tiny")
        dataset = Dataset("tiny", dataset.summary, vocab_size)
        made = "made" if make_tiny(folder, vocab_size) else "already there"
    folder = folder or Path("data")
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


@main.command()
@click.argument("recipe", metavar="RECIPE | FILE.py")
@click.option("--smoke", is_flag=True, help="Tiny, on the CPU, every stage; no data needed.")
@click.option(
    "--timeout",
    default=600,
    show_default=True,
    type=click.IntRange(1),
    metavar="SECONDS",
    help="Of a smoke run of FILE.py.",
)
@path_option("--data-dir", help="Holds datasets/ and tokenizers/.")
@keep_option
@click.option("--processes", default="1", show_default=True, type=click.Choice(list("1248")))
@click.option("--force", is_flag=True, help="Replace files that were not written here.")
@allow_option
@recipe_options
def run(recipe, smoke, timeout, data_dir, processes, force, **options) -> None:
    """Compose RECIPE and run it on this machine; other names of the environment pass through.

    `run FILE.py --smoke` runs any script, with stand-ins for what only a GPU machine has. It runs
    with your rights: read a stranger's script before.
    """
    from pgolf_compose.build import compose

    if recipe.endswith(".py"):
        if not smoke or any(options.values()):
            raise click.UsageError("a script runs as it is, and only with --smoke")
        run_script_smoke(Path(recipe), timeout)
        return
    build = compose(recipe, **options)
    if smoke:
        run_smoke(build)
    else:
        run_for_real(build, data_dir, int(processes), force)


def run_smoke(build) -> None:
    from pgolf_compose.smoke import smoke

    folder = Path("out", build.name, "smoke")
    for stage in smoke(build, folder):
        echo_stage(stage)
    click.echo(f"all stages went through; everything is in {folder}")


def run_script_smoke(script: Path, timeout: int) -> None:
    from pgolf_compose.smoke import Failure, smoke_script

    folder = Path("out", script.stem, "smoke")
    for stage in smoke_script(script, folder, timeout):
        if isinstance(stage, Failure):
            click.echo(f"{script}: FAILED in {stage}; everything is in {folder}", err=True)
            click.get_current_context().exit(1)
        echo_stage(stage)
    click.echo(f"all stages went through; everything is in {folder}")


def echo_stage(stage) -> None:
    click.echo(f"{stage.name:<15} {stage.seconds:6.1f} s  {stage.detail}")


def run_for_real(build, data_dir: Path | None, processes: int, force: bool) -> None:
    """Train and score at full length in out/<name>, with progress for a terminal or a pipe."""
    from pgolf_compose.files import write_files
    from pgolf_compose.launch import follow
    from pgolf_compose.passes.freeze import overridden
    from pgolf_compose.product import product

    for name, value in overridden(build.script.tree, os.environ, build.keep).items():
        raise ComposeError(
            f"{name}={os.environ[name]} is set, but the small file is frozen at {value}: "
            f"--set {name}={os.environ[name]} composes it so, --keep {name} leaves it open"
        )
    folder = Path("out", build.name)
    data_dir = data_dir or Path(os.environ.get("DATA_DIR", "data"))
    if not data_dir.is_dir() and "DATA_PATH" not in os.environ:
        raise ComposeError(
            "there is no data here; `pgolf-compose data tiny` makes some, "
            "--data-dir data/tiny names it",
            data_dir,
        )
    files = product(build).files(folder)
    write_files(files, force)
    env = {"DATA_DIR": str(data_dir.resolve())}
    script = folder.resolve() / "train_gpt.py"
    twin = build.script.origins, build.small_lines
    with progress_display() as show_line:
        for line in follow(script, folder, env, processes, *twin):
            show_line(line)
    rows = [(str(path), f"{path.stat().st_size:,} bytes") for path in files]
    rows += [
        (str(path), f"{path.stat().st_size:,} bytes")
        for pattern in ("final_model*", "logs/*.txt")
        for path in sorted(folder.glob(pattern))
    ]
    table(rows)


def progress_display():
    """A bar in a terminal; in a pipe the log lines, steps at most every five seconds."""
    from pgolf_compose.progress import Bar, Lines

    return Bar() if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" else Lines(click.echo)


@main.command()
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


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@path_option("-o", "--output", help="The file to write; FILE_packed.py beside it if left out.")
@pack_option
@click.option("--freeze", is_flag=True, help="Put values where the environment is read.")
@click.option(
    "--set",
    "set",
    multiple=True,
    metavar="NAME=VALUE",
    help="Of the environment, frozen at this value.",
)
@click.option(
    "--keep", multiple=True, metavar="NAME", help="Of the environment, still read when frozen."
)
@click.option("--force", is_flag=True, help="Replace a file that was not written here.")
def pack(file, output, pack, freeze, set, keep, force) -> None:
    """Make any Python script small: FILE_packed.py does what FILE does."""
    from pgolf_compose.files import write_files
    from pgolf_compose.foreign import pack_script, read_script
    from pgolf_compose.passes.freeze import KEPT
    from pgolf_compose.plugins import load_library, pick

    if (set or keep) and not freeze:
        raise click.UsageError("--set and --keep go with --freeze")
    values = {}
    for one in set:
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise click.UsageError(f"--set wants NAME=VALUE, not {one}")
        if name in keep:
            raise click.UsageError(f"{name} cannot be both set and kept")
        values[name] = value
    output = output or file.with_name(f"{file.stem}_packed.py")
    if output.is_dir():
        output = output / f"{file.stem}_packed.py"
    if output.exists() and file.exists() and output.samefile(file):
        raise ComposeError("would be written over itself; name another file with -o", file)
    packer = pick("packer", pack, load_library().packers)
    text = read_script(file)
    made = pack_script(file, text, packer, values if freeze else None, KEPT | {*keep}, keep)
    write_files({output: made.data}, force)
    for note in made.notes:
        click.echo(note, err=True)
    before = file.stat().st_size
    share = f"{len(made.data) / before:.0%} of {before:,}"
    table([(str(output), f"{len(made.data):,} bytes, {share}; shrunk text {len(made.text):,}")])


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@path_option("-o", "--output", help="The file to write; printed if left out.")
@click.option("--force", is_flag=True, help="Replace a file that was not written here.")
def unpack(file, output, force) -> None:
    """Print the text inside a packed script, ours or another's, without running it."""
    from pgolf_compose.files import write_files
    from pgolf_compose.unpack import unpack

    found = unpack(file.read_bytes(), file)
    data = found.source.encode("utf-8", "surrogatepass")
    if output:
        write_files({output: data}, force)
        size = f"{len(data):,} bytes from {file.stat().st_size:,}"
        click.echo(f"{output}  {size}, out of {' and '.join(found.layers)}")
    else:
        click.echo(data, nl=not data.endswith(b"\n"))
    if found.doubt:
        click.echo(f"{file}: the text inside {found.doubt}, to this Python", err=True)


@main.command()
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
