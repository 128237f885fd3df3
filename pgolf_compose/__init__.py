"""Compose training scripts for Parameter Golf from recipes of techniques."""

import importlib

from pgolf_compose.errors import ComposeError
from pgolf_compose.hookspecs import hookimpl
from pgolf_compose.technique import Host, Hyperparameter, Technique, choice, grouped

__all__ = [
    "ComposeError",
    "Dataset",
    "Host",
    "Hyperparameter",
    "Packer",
    "Technique",
    "Track",
    "__version__",
    "choice",
    "compose",
    "grouped",
    "hookimpl",
    "read_tracks",
]

__version__ = "0.1.0"


# What needs more than the standard library is imported when it is asked for: who declares a
# technique does not wait for YAML, Jinja and black.
LATE = {"Dataset": "data", "Packer": "pack", "Track": "tracks", "compose": "build"}
LATE["read_tracks"] = "tracks"


def __getattr__(name: str):
    if name in LATE:
        module = importlib.import_module(f"pgolf_compose.{LATE[name]}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
