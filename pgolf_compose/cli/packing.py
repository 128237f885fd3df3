"""`pack` and `unpack`: any script."""

from pathlib import Path

import click

from pgolf_compose.cli.shared import pack_option, path_option, table
from pgolf_compose.errors import ComposeError

__all__ = ["pack", "unpack"]


@click.command()
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


@click.command()
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
