"""F-strings of Python 3.12's grammar, for an older Python: `f'{d['a']}'` without the inner quotes.

Since PEP 701 an f-string may hold its own quotes, backslashes and comments. Minified scripts use
that; a Python before 3.12 cannot parse them at all. What is put in place reads the same names in
the same lines, with the inner texts at the end of the script: enough to look at it, and never
for running it.
"""

import re

__all__ = ["without_fstrings"]

# a comment, or a string's prefix and opening quotes; one of these, or one plain character
TOKEN = re.compile(r"#[^\n]*+|(?<![\w])([rRbBuUfF]{0,2})('''|\"\"\"|'|\")")
INNER = re.compile(r"(?<![\w])([rRbBuUfF]{0,2})('''|\"\"\"|'|\")|[\[\]{}()!:#]|=(?!=)")
DEPTH = 20
TEXT = "_text_"  # stands for a text within a field


class Unended(Exception):
    """A string or a replacement field that does not end."""


def without_fstrings(text: str) -> str:
    """The text in the older grammar; as it was where an f-string does not end."""
    try:
        return rewritten(text)
    except (Unended, RecursionError):
        return text


def rewritten(text: str) -> str:
    parts, texts, at = [], [], 0
    while found := TOKEN.search(text, at):
        parts.append(text[at : found.start()])
        if found[0].startswith("#"):
            end, put = found.end(), found[0]
        elif "f" in found[1].lower():
            end, fields = literal(text, found, texts, 0)
            # a newline more or less would move later lines
            lines = text.count("\n", found.start(), end)
            told = "".join(f"{{({one})}}" for one in fields).replace("\n", " ")
            put = f"f'''{told}{chr(10) * lines}'''"
        else:
            end = plain_end(text, found.end(), found[2])
            put = text[found.start() : end]
        parts.append(put)
        at = end
    return "".join([*parts, text[at:], *(f"\n{one}" for one in texts)])


def literal(text: str, found: re.Match, texts: list[str], depth: int) -> tuple[int, list[str]]:
    """Where a string ends, and the expressions in it; a plain one joins `texts`."""
    prefix, quote = found[1].lower(), found[2]
    if depth > DEPTH:
        raise Unended
    if "f" not in prefix:
        end = plain_end(text, found.end(), quote)
        texts.append(text[found.start() : end])
        return end, []
    return fields_of(text, found.end(), quote, "r" in prefix, texts, depth)


def plain_end(text: str, at: int, quote: str) -> int:
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text.startswith(quote, at):
            return at + len(quote)
        elif text[at] == "\n" and len(quote) == 1:
            raise Unended
        else:
            at += 1
    raise Unended


def fields_of(
    text: str, at: int, quote: str, raw: bool, texts: list[str], depth: int
) -> tuple[int, list[str]]:
    """The end of an f-string whose literal part begins at `at`, and its expressions."""
    found: list[str] = []
    while at < len(text):
        char = text[at]
        if text.startswith(quote, at):
            return at + len(quote), found
        if char == "\\" and not raw:
            at += 8 if text.startswith("\\N{", at) and "}" not in text[at : at + 8] else 2
        elif text[at : at + 2] in ("{{", "}}"):
            at += 2
        elif char == "{":
            at, expressions = field(text, at + 1, raw, texts, depth)
            found += expressions
        elif char == "\n" and len(quote) == 1:
            raise Unended
        else:
            at += 1
    raise Unended


def field(text: str, at: int, raw: bool, texts: list[str], depth: int) -> tuple[int, list[str]]:
    """Past the closing brace of a replacement field, and the expressions in it."""
    parts, open_brackets, start = [], [], at
    found: list[str] = []
    while one := INNER.search(text, at):
        mark = one[0]
        parts.append(text[at : one.start()])
        at = one.end()
        if one[2]:
            at, inner = literal(text, one, texts, depth + 1)
            parts.append(TEXT if not parts or not parts[-1].rstrip().endswith(TEXT) else "")
            found += inner
        elif mark == "#":
            at = text.find("\n", at)
            if at < 0:
                raise Unended
        elif mark in "([{":
            open_brackets.append(mark)
            parts.append(mark)
        elif mark in ")]" or (mark == "}" and open_brackets):
            if not open_brackets:
                raise Unended
            open_brackets.pop()
            parts.append(mark)
        elif open_brackets or (mark == "!" and text.startswith("=", at)):
            parts.append(mark)
        elif mark == "=":
            rest = text[at : at + 40].lstrip()[:1]
            if rest not in ("}", "!", ":") or text[one.start() - 1] in "<>!=":
                parts.append(mark)
        elif mark == "}":
            return at, ["".join(parts), *found]
        elif mark == "!":
            at += 1
        else:  # a format, which may hold fields of its own
            at, inner = format_of(text, at, raw, texts, depth)
            return at, ["".join(parts), *found, *inner]
        if at - start > 100_000:
            break
    raise Unended


def format_of(text: str, at: int, raw: bool, texts: list[str], depth: int) -> tuple[int, list[str]]:
    found: list[str] = []
    while at < len(text):
        if text[at] == "}":
            return at + 1, found
        if text[at] == "{":
            at, inner = field(text, at + 1, raw, texts, depth + 1)
            found += inner
        elif text[at] == "\n":
            raise Unended
        else:
            at += 1
    raise Unended
