"""Other people's words in Markdown: a text stays a text, whatever it holds."""

import re
from collections.abc import Iterable, Sequence

__all__ = ["code", "linked", "plain", "table"]

SPECIAL = re.compile(r"[\\`*\[\]<>|~$]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|!(?=\[)")
# what begins a heading, a list, a quotation, a rule or a table
LEADING = re.compile(r"\A(\d+)(?=[.)](\s|$))|\A(?=[#+=-])")
PULL = re.compile(r"(?<![\w\\&])(?:PR )?#(\d+)")


def plain(text: object) -> str:
    """A text on one line that Markdown, its tables and HTML take for nothing else."""
    words = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    words = SPECIAL.sub(lambda found: entity(found[0]), words)
    return LEADING.sub(lambda found: (found[1] or "") + "\\", words)


def entity(char: str) -> str:
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(char, f"\\{char}")


def code(text: object) -> str:
    """A text between backticks, more of them than it has itself."""
    words = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    fence = "`" * (max(map(len, re.findall("`+", words)), default=0) + 1)
    edge = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{fence}{edge}{words}{edge}{fence}"


def linked(text: str, pulls: str) -> str:
    """A plain text whose `PR #1394` and `#99` are links below `pulls`, unless that is empty."""
    words = plain(text)
    return PULL.sub(rf"[\g<0>]({pulls}\1)", words) if pulls else words


def table(head: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[int] = ()) -> str:
    """A table of cells in Markdown; columns of the numbers in `right` hold figures."""
    rule = ["--:" if n in right else "---" for n in range(len(head))]
    # a bar would end the cell, in code as well
    cells = [[re.sub(r"(?<!\\)\|", r"\\|", str(one)) for one in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *cells])
