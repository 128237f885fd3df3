"""What every packer asks of a script's text."""

import re

__all__ = ["LINES", "needs_lines", "tidied"]

COOKIE = re.compile(r"\A(?:.*\n)?[ \t\f]*#.*?coding[:=]")
# what reads source lines of a running program: inspect, and whatever compiles by way of it
READERS = re.compile(r"\b(triton|inspect|linecache|doctest|pdb|torch\.jit|jit\.script)\b")

# lets them: the text of a packed program, under the name that exec gives it
LINES = "import linecache as l;l.cache['<string>']=0,None,{}.splitlines(1),''"


def tidied(source: str) -> str:
    """The text as it is packed: line feeds alone, and no line that names another encoding."""
    source = re.sub("\r\n?", "\n", source.removeprefix("\ufeff")).rstrip("\n")
    return f"\n\n{source}" if COOKIE.match(source) else source


def needs_lines(source: str) -> bool:
    """Whether the program reads its own source while it runs, as Triton's kernels do."""
    return READERS.search(source) is not None
