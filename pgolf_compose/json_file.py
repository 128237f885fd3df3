"""JSON as strangers write it: every number with its text and line, and what is odd as findings."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pgolf_compose.errors import ComposeError

__all__ = ["Claim", "JsonFile", "Oddity", "read_json"]

MOST_BYTES = 4_000_000
DEEPEST = 64
TOKEN = re.compile(
    r'[ \t\r\n]*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?\d[\d.eE+-]*)'
    r"|(?P<word>-?[A-Za-z]+)|(?P<mark>[\[\]{},:]))",
    re.S,
)
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")
WORDS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Claim:
    """A number that a file states: `seed_results.42.val_bpb`, its text, value and line."""

    key: str
    text: str
    value: Decimal
    line: int

    @property
    def digits(self) -> int:
        """Decimals as written."""
        return -min(0, self.value.as_tuple().exponent)


@dataclass(frozen=True)
class Oddity:
    """What a parser lets through and a reader should know."""

    line: int
    text: str


@dataclass(frozen=True)
class JsonFile:
    path: Path
    data: object
    claims: tuple[Claim, ...]
    lines: dict[str, int]  # of every key, dotted as in a claim
    oddities: tuple[Oddity, ...]


def read_json(path: Path) -> JsonFile:
    """A JSON file; ComposeError with its line if it is none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ComposeError(f"has {path.stat().st_size:,} bytes; that is no JSON to read", path)
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ComposeError(f"cannot be read: {error.strerror}", path) from None
    except UnicodeDecodeError as error:
        raise ComposeError(f"is not UTF-8 (byte {error.start:,})", path) from None
    return Parser(path, text).file()


class Parser:
    def __init__(self, path: Path, text: str):
        self.path, self.text, self.at, self.line = path, text, 0, 1
        self.claims: list[Claim] = []
        self.lines: dict[str, int] = {}
        self.oddities: list[Oddity] = []

    def file(self) -> JsonFile:
        if not self.text.strip():
            self.wrong("is empty")
        data = self.value(self.token(), (), 0)
        rest = self.text[self.at :]
        if rest.strip():
            self.line += rest[: len(rest) - len(rest.lstrip())].count("\n")
            self.wrong("goes on after its end")
        return JsonFile(self.path, data, tuple(self.claims), self.lines, tuple(self.oddities))

    def wrong(self, problem: str) -> None:
        raise ComposeError(f"is no JSON: {problem}", f"{self.path}:{self.line}")

    def token(self) -> tuple[str, str]:
        match = TOKEN.match(self.text, self.at)
        if not match:
            rest = self.text[self.at :].lstrip()
            self.line += self.text.count("\n", self.at, len(self.text) - len(rest))
            self.wrong(
                f"{rest[:1]!r} stands where a value or a mark should" if rest else "it ends early"
            )
        kind = match.lastgroup
        self.line += self.text.count("\n", self.at, match.start(kind))
        self.at = match.end()
        return kind, match[kind]

    def value(self, token: tuple[str, str], key: tuple[str, ...], depth: int):
        kind, text = token
        if depth > DEEPEST:
            self.wrong(f"is nested deeper than {DEEPEST}")
        if text == "{" and kind == "mark":
            return self.mapping(key, depth)
        if text == "[" and kind == "mark":
            return self.sequence(key, depth)
        if kind == "string":
            return self.string(text)
        if kind == "number":
            return self.number(text, key)
        if kind == "word" and text in WORDS:
            return WORDS[text]
        if kind == "word" and text.lstrip("-") in ("NaN", "Infinity"):
            self.odd(f"{'.'.join(key)} is {text}, which JSON has no number for")
            return float(text.replace("Infinity", "inf"))
        self.wrong(f"{text[:40]} stands where a value should")

    def odd(self, text: str) -> None:
        self.oddities.append(Oddity(self.line, text))

    def string(self, text: str) -> str:
        line = self.line
        self.line += text.count("\n")
        try:
            return json.loads(text, strict=False)
        except ValueError:
            self.line = line
            self.wrong(f"{text[:40]} is no text")

    def number(self, text: str, key: tuple[str, ...]):
        if not NUMBER.fullmatch(text):
            self.wrong(f"{text[:40]} is no number")
        try:
            value = Decimal(text)
            number = float(text) if re.search("[.eE]", text) else int(text[:4000])
        except (InvalidOperation, ValueError, OverflowError):
            self.wrong(f"{text[:40]} is no number")
        if len(text) > 60 or abs(value.adjusted()) > 300:
            self.odd(f"{'.'.join(key)} is {text[:20]}…, no number of a run")
        else:
            self.claims.append(Claim(".".join(key), text, value, self.line))
        return number

    def mapping(self, key: tuple[str, ...], depth: int) -> dict:
        result = {}
        token = self.token()
        if token == ("mark", "}"):
            return result
        while True:
            kind, text = token
            if kind != "string":
                self.wrong(f"{text[:40]} stands where a key in quotes should")
            name = self.string(text)
            inner = (*key, name)
            if name in result:
                self.odd(f"{'.'.join(inner)} is given twice; the last counts")
                dotted = ".".join(inner)
                self.claims = [
                    c for c in self.claims if c.key != dotted and not c.key.startswith(dotted + ".")
                ]
            self.lines[".".join(inner)] = self.line
            if self.token()[1] != ":":
                self.wrong(f"a colon is missing after {text[:40]}")
            result[name] = self.value(self.token(), inner, depth + 1)
            _, mark = self.token()
            if mark == "}":
                return result
            if mark != ",":
                self.wrong(f"{mark[:40]} stands where a comma should")
            token = self.token()

    def sequence(self, key: tuple[str, ...], depth: int) -> list:
        result = []
        token = self.token()
        if token == ("mark", "]"):
            return result
        while True:
            result.append(self.value(token, (*key, str(len(result))), depth + 1))
            _, mark = self.token()
            if mark == "]":
                return result
            if mark != ",":
                self.wrong(f"{mark[:40]} stands where a comma should")
            token = self.token()
