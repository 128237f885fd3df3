"""The command line: the only package that prints, reads arguments or exits.

A command imports what it needs when it is called: `--help` and `list` stay fast.
"""

import click

from pgolf_compose import __version__
from pgolf_compose.cli.auditing import audit
from pgolf_compose.cli.comparing import diff
from pgolf_compose.cli.composing import compose, data, new
from pgolf_compose.cli.listing import list_command
from pgolf_compose.cli.packing import pack, unpack
from pgolf_compose.cli.results import results
from pgolf_compose.cli.running import run
from pgolf_compose.cli.showing import show
from pgolf_compose.cli.submitting import submit
from pgolf_compose.errors import ComposeError

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


COMMANDS = (compose, list_command, show, new, data, run, results, diff, pack, unpack, submit)
for command in (*COMMANDS, audit):
    main.add_command(command)
