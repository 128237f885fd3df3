"""`run`: on this machine, for real or tiny."""

import os
import sys
from pathlib import Path

import click

from pgolf_compose.cli.shared import allow_option, keep_option, path_option, recipe_options, table
from pgolf_compose.errors import ComposeError

__all__ = ["run"]


@click.command()
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
    if smoke and (data_dir or processes != "1"):
        raise click.UsageError("a smoke run makes its own data, in one process")
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
    host = build.composition.host
    script = folder.resolve() / f"{host.script}.py"
    twin = build.script.origins, build.small_lines
    with progress_display() as show_line:
        for line in follow(script, folder, env, processes, *twin, packages=host.packages):
            show_line(line)
    rows = [(str(path), f"{path.stat().st_size:,} bytes") for path in files]
    rows += [
        (str(path), f"{path.stat().st_size:,} bytes")
        for pattern in host.writes
        for path in sorted(folder.glob(pattern))
    ]
    table(rows)


def progress_display():
    """A bar in a terminal; in a pipe the log lines, steps at most every five seconds."""
    from pgolf_compose.progress import Bar, Lines

    return Bar() if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" else Lines(click.echo)
