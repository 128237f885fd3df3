"""Passes make a script smaller and leave what it does alone. Each takes a script's text."""

from collections.abc import Callable

from pgolf_compose.passes.minify import minify
from pgolf_compose.script import Script

__all__ = ["PASSES", "shrink"]

# in this order
PASSES: list[Callable[[str], str]] = [minify]


def shrink(script: Script) -> str:
    """The script's text after every pass."""
    text = script.code
    for one in PASSES:
        text = one(text)
    return text
