"""Which line of the readable script each stretch of its small text came from, and what it costs.

Nodes keep the line on which they stood through every pass, so the tree that was printed and the
tree that the printed text parses to, alike in shape, say together where each character is from.
"""

import ast
import itertools
import math
from collections import Counter

__all__ = ["costs", "spans"]

ORDER = 5  # characters of context that `costs` looks at


def spans(tree: ast.Module, text: str) -> list[tuple[int, int, int]]:
    """(start, end, line) of every stretch of `text`, which `tree` was printed as, in order.

    A character belongs to the innermost node around it, and outside of all nodes to the one before.
    A node without a line takes that of the node around it. Where a printer wrote another shape
    (a negative number, an f-string), what is inside belongs to the whole.
    """
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    starts = [0, *itertools.accumulate(len(line) for line in lines)]
    owners = [0] * starts[-1]  # by byte, as positions of nodes are
    paint(tree, ast.parse(text), starts, owners, 0)
    last = next((line for line in owners if line), 1)
    owned = []
    for n, line in enumerate(owners):
        last = owners[n] = line or last
    at = 0
    for char in text:
        owned.append(owners[at])
        at += len(char.encode())
    found, start = [], 0
    for line, run in itertools.groupby(owned):
        end = start + len(list(run))
        found.append((start, end, line))
        start = end
    return found


def paint(old: ast.AST, new: ast.AST, starts: list[int], owners: list[int], line: int) -> None:
    """Write the line of `old` over what `new` covers, then those of the nodes inside."""
    line = getattr(old, "lineno", None) or line
    if hasattr(new, "lineno"):
        start = starts[new.lineno - 1] + new.col_offset
        end = starts[new.end_lineno - 1] + new.end_col_offset
        owners[start:end] = [line] * (end - start)
    if type(old) is not type(new) or isinstance(new, ast.JoinedStr):
        return  # positions inside f-strings are right from Python 3.12 on only
    inside = list(ast.iter_child_nodes(old)), list(ast.iter_child_nodes(new))
    if len(inside[0]) == len(inside[1]):
        for pair in zip(*inside, strict=True):
            paint(*pair, starts, owners, line)


def costs(text: str) -> list[float]:
    """Bits of each character for a model that learns as it reads.

    It counts what followed the last five characters, else the last four, and so on; that a context
    must give way to a shorter one is charged as one more symbol for each that it has seen (PPM C).
    """
    seen: dict[str, Counter[str]] = {}
    found = []
    for n, char in enumerate(text):
        bits, contexts = 0.0, [text[n - k : n] for k in range(min(ORDER, n), -1, -1)]
        for context in contexts:
            if counts := seen.get(context):
                total = counts.total() + len(counts)
                if char in counts:
                    bits += math.log2(total / counts[char])
                    break
                bits += math.log2(total / len(counts))
        else:
            bits += 7  # never seen: one of some hundred
        found.append(bits)
        for context in contexts:
            seen.setdefault(context, Counter())[char] += 1
    return found
