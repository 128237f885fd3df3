"""JSON with the line of every value, and what its grammar or its size makes doubtful.

Python's own reader keeps the last of two equal keys, takes NaN, and overflows on deep nesting;
a reader of a stranger's file wants to know.
"""

import json
import re
from dataclasses import dataclass, field

__all__ = ["BadJson", "Document", "read_json"]

DEPTH = 60
SPACE = re.compile(r"[ \t\r\n]*+")
NUMBER = re.compile(r"-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][-+]?\d++)?")
STRING = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\.)*+"')
WORDS = {"true": True, "false": False, "null": None}
STRANGE = ("NaN", "Infinity", "-Infinity")


class BadJson(Exception):
    """What is no JSON, with its line and column."""

    def __init__(self, message: str, line: int, column: int):
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


@dataclass
class Document:
    """A value and the line of each thing in it, by its path of keys and indices."""

    value: object = None
    lines: dict[tuple, int] = field(default_factory=dict)
    twice: list[tuple[tuple, int, int]] = field(default_factory=list)  # path, first line, second
    strange: list[tuple[str, int]] = field(default_factory=list)  # NaN and its like, line

    def line(self, *path: object) -> int:
        """Of a value, or of the nearest thing around it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_json(text: str) -> Document:
    """Raises BadJson for what is no JSON, or is nested deeper than anybody writes."""
    reader = Reader(text.removeprefix("\ufeff"))
    reader.document.value = reader.read(())
    reader.skip()
    if reader.at < len(reader.text):
        reader.fail("something follows the value")
    return reader.document


class Reader:
    def __init__(self, text: str):
        self.text, self.at = text, 0
        self.document = Document()
        self.counted, self.line = 0, 1  # the line at a position already passed

    def here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line

    def fail(self, message: str) -> None:
        line = self.here()
        raise BadJson(message, line, self.at - self.text.rfind("\n", 0, self.at))

    def skip(self) -> str:
        """Past white space; the character there, or nothing at the end."""
        self.at = SPACE.match(self.text, self.at).end()
        return self.text[self.at : self.at + 1]

    def take(self, wanted: str) -> None:
        if self.skip() != wanted:
            found = self.text[self.at : self.at + 1]
            self.fail(f"`{wanted}` is wanted here, not {repr(found) if found else 'the end'}")
        self.at += 1

    def read(self, path: tuple) -> object:
        first = self.skip()
        self.document.lines[path] = self.here()
        if len(path) > DEPTH:
            self.fail(f"is nested deeper than {DEPTH} levels")
        if first == "{":
            return self.mapping(path)
        if first == "[":
            return self.sequence(path)
        if first == '"':
            return self.string()
        for word in STRANGE:
            if self.text.startswith(word, self.at):
                self.document.strange.append((word, self.here()))
                self.at += len(word)
                return None
        for word, value in WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        if found := NUMBER.match(self.text, self.at):
            self.at = found.end()
            if len(found[0]) > 400:
                self.fail("a number of more than 400 digits")
            return json.loads(found[0])
        self.fail("a value is wanted here" if first else "the file ends before the value does")

    def string(self) -> str:
        found = STRING.match(self.text, self.at)
        if not found:
            self.fail("this text does not end on its line")
        try:
            value = json.loads(found[0])
        except ValueError:
            self.fail("a backslash that JSON does not know")
        self.at = found.end()
        return value

    def mapping(self, path: tuple) -> dict:
        found: dict = {}
        self.take("{")
        if self.skip() == "}":
            self.at += 1
            return found
        while True:
            if self.skip() != '"':
                self.fail("a key in double quotes is wanted here")
            line, key = self.here(), self.string()
            if key in found:
                first = self.document.lines[(*path, key)]
                self.document.twice.append(((*path, key), first, line))
            self.take(":")
            found[key] = self.read((*path, key))
            self.document.lines[(*path, key)] = line
            if self.skip() != ",":
                self.take("}")
                return found
            self.at += 1

    def sequence(self, path: tuple) -> list:
        found: list = []
        self.take("[")
        if self.skip() == "]":
            self.at += 1
            return found
        while True:
            found.append(self.read((*path, len(found))))
            if self.skip() != ",":
                self.take("]")
                return found
            self.at += 1
