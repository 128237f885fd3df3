"""`list`."""

import click

from pgolf_compose.cli.shared import echo_json, json_option, plugins_option, table
from pgolf_compose.errors import listed

__all__ = ["list_command"]


@click.command("list")
@click.argument("word", default="")
@click.option("--recipes", "what", flag_value="recipes", help="Bundled recipes.")
@click.option("--places", "what", flag_value="places", help="Slots and parts of the host script.")
@click.option("--tracks", "what", flag_value="tracks", help="Competitions and their limits.")
@click.option("--datasets", "what", flag_value="datasets", help="Dataset variants.")
@click.option("--leaderboard", "what", flag_value="leaderboard", help="Rows and their track.")
@json_option
@plugins_option
def list_command(word, what, as_json, plugins) -> None:
    """List techniques, or what an option names; WORD filters."""
    from pgolf_compose.plugins import load_library

    library = load_library(plugins)
    rows = (
        leaderboards(library) if what == "leaderboard" else listing(what or "techniques", library)
    )
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
            {"host": host.name if len(library.hosts) > 1 else "", "name": one.name}
            | {"kind": one.kind, "where": one.origin.file.path.name, "scope": one.scope}
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


def leaderboards(library) -> list[dict]:
    """The rows of each leaderboard, with the mean of their runs; of the first track that has it."""
    from pgolf_compose.leaderboard import read_leaderboard

    boards = {one.leaderboard: one.name for one in reversed(library.tracks.values())}
    return [
        {
            "date": row.date,
            "row": row.label,
            "mean": f"{row.summary.mean:.5f}",
            "std": "" if row.summary.std is None else f"{row.summary.std:.5f}",
            "runs": row.summary.n,
            "track": track,
            "name": row.name,
            "folder": row.folder,
            "left out": row.left_out,
        }
        for path, track in boards.items()
        for row in read_leaderboard(path)
    ]


def told_rules(technique) -> str:
    """`breaks C3 and 1` or `keeps C4`."""

    verb, rules = ("breaks", technique.breaks) if technique.breaks else ("keeps", technique.keeps)
    return f"{verb} {listed(rules)}" if rules else ""
