"""`show`: a technique, a place or a recipe."""

from pathlib import Path

import click

from pgolf_compose.cli.shared import echo_json, json_option, recipe_options, table
from pgolf_compose.errors import listed

__all__ = ["show"]


@click.command()
@click.argument("what", default="")
@click.option("--lines", is_flag=True, help="The script, and who wrote each line.")
@click.option("--yaml", "as_yaml", is_flag=True, help="The recipe, extending nothing.")
@click.option("--schema", is_flag=True, help="JSON Schema of a recipe, a technique, `submission`.")
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
    from pgolf_compose.submission.about import about_schema

    if what == "submission":
        echo_json(about_schema())
        return
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
