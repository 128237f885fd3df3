"""The pluggy hooks. What pgolf-compose brings along uses exactly these."""

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from pgolf_compose.data import Dataset
    from pgolf_compose.pack import Packer
    from pgolf_compose.technique import Host, Technique
    from pgolf_compose.tracks import Track

__all__ = ["hookimpl", "hookspec"]

# A change that breaks a plugin gets a new project name, `pgolf_compose_2`, beside this one.
PROJECT = "pgolf_compose"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_techniques() -> "list[Technique]":
    """Offer techniques; a `Technique` is itself a plugin that offers itself."""


@hookspec
def register_templates() -> "list[Host]":
    """Offer host scripts: the script of the challenge, or of another contest."""


@hookspec
def register_tracks() -> "list[Track]":
    """Offer tracks: limits and the host they are for."""


@hookspec
def register_datasets() -> "list[Dataset]":
    """Offer dataset variants: a vocabulary and where its shards and tokenizer lie."""


@hookspec
def register_packers() -> "list[Packer]":
    """Offer ways to turn a script's text into a small file that runs it."""
