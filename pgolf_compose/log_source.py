"""Which lines of a log are the script that the run printed into it.

Scripts of the challenge write their own source to their log, with a rule of `=` after it. Such
lines hold templates of what is logged later, and docstrings may hold whole examples.
"""

import ast
import re
import warnings

__all__ = ["Source"]

BEGINS = re.compile(
    r"from __future__ import |import \w|from [\w.]+ import |#!|# *(-\*-|coding)|'''|\"\"\""
)
RULE = re.compile(r"(={20,}|-{20,}|\*{20,})$")
CONTINUES = re.compile(r"(else|elif|except|finally|case)\b|(try:|match |type )|@|[)\]}]")
TOKEN = re.compile(
    r"""#.*|[rRbBuUfF]{0,2}(?P<open>\"\"\"|''')|[rRbBuUfF]{0,2}(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"""|(?P<up>[(\[{])|(?P<down>[)\]}])|(?P<on>\\$)"""
)


class Source:
    """Fed with lines, tells of each whether it belongs to a printed script.

    A script begins at an import, a docstring or a `#!` in the first column, or at a comment at the
    top or after a rule. It ends at a rule or at a line that cannot be Python, both outside of its
    strings and brackets.
    """

    def __init__(self, ignore: frozenset[int] = frozenset()):
        self.inside = False
        self.quote = ""
        self.depth = 0
        self.goes_on = False
        self.fresh = True  # nothing but blank lines since the top or a rule
        self.perhaps = False  # so far only comments
        self.began = self.rule = 0  # lines where the script began, where a rule stood in a string
        self.ignore = ignore

    def holds(self, number: int, line: str) -> bool:
        if not self.inside:
            self.perhaps = self.fresh and line.startswith("#")
            if not (self.perhaps or begins(line)):
                self.fresh = bool(RULE.match(line)) or (self.fresh and line.isspace())
                return False
            self.inside, self.quote, self.depth, self.goes_on = True, "", 0, False
            self.began, self.rule = number, 0
        if self.perhaps and line[:1] != "#" and line.strip():  # comments of a script, or a note
            self.perhaps = False
            if not begins(line):
                self.inside = self.fresh = False
                return False
        open_before = bool(self.quote or self.depth or self.goes_on)
        if RULE.match(line):
            if not open_before or number in self.ignore:
                self.inside, self.fresh = False, True
                return True
            self.rule = self.rule or number
        if not open_before and line[:1] not in " \t#\n" and line.strip() and not statement(line):
            self.inside = False
            return False
        self.scan(line)
        return True

    def scan(self, line: str) -> None:
        at, self.goes_on = 0, False
        if self.quote:
            at = end_of(line, self.quote)
            if at < 0:
                return
            self.quote = ""
        while match := TOKEN.search(line, at):
            at = match.end()
            if match["open"]:
                rest = end_of(line, match["open"], at)
                if rest < 0:
                    self.quote = match["open"]
                    return
                at = rest
            elif match["up"]:
                self.depth += 1
            elif match["down"]:
                self.depth = max(0, self.depth - 1)
            elif match["on"]:
                self.goes_on = True


def end_of(line: str, quote: str, at: int = 0) -> int:
    """Behind the closing triple quote, or -1."""
    while (found := line.find(quote, at)) > 0:
        slashes = len(line[:found]) - len(line[:found].rstrip("\\"))
        if slashes % 2 == 0:
            break
        at = found + 1
    return found + 3 if found >= 0 else -1


def begins(line: str) -> bool:
    return line[:1] in "fi#'\"" and BEGINS.match(line) is not None and statement(line)


def statement(line: str) -> bool:
    """Whether a line can begin, or go on with, a statement of Python."""
    if CONTINUES.match(line):
        return True
    text = line.rstrip()
    if len(text) > 4000:  # a packed script's
        return BEGINS.match(text) is not None or "=" in text[:200] or "(" in text[:200]
    if re.search(r"\b[rR]?[fF][rR]?[\"']", text):  # quotes within quotes: Python 3.12's
        return True
    for attempt in (text, text + " pass"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(attempt)
            return True
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if unfinished(str(error)):
                return True
    return False


def unfinished(problem: str) -> bool:
    return re.search("was never closed|unterminated triple|unexpected EOF", problem) is not None
