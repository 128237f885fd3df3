"""Bytes of model, code and both that a log prints, and which are of the compressed artifact."""

import re
from dataclasses import dataclass

from pgolf_compose.logs.pairs import Pair, pairs

__all__ = ["Sizes", "size_kind"]

# `label: 123 bytes`, `label = 1.5 MB (1500000 bytes)`, `label: 123/16000000`
BYTES = re.compile(
    r"(?P<label>[A-Za-z][^|:=]{0,80}?(?:\([^()]{0,40}\))?)\s?[:=]\s{0,20}"
    r"(?:[\d.]+\s?[KM]i?B\s?\(\s?)?"
    r"(?P<number>\d[\d,_]*)(?P<unit>\s*(?:bytes|B)\b)?(?P<of>\s*/\s*16[,_]?000[,_]?000)?",
)
NO_SIZE = re.compile(r"limit|cap\b|max|memory|alloc|margin|headroom|target|cache|shard|token|val_")
CODE = re.compile(r"code|script|source")
TOTAL = re.compile(r"total|submission|artifact|budget")
MODEL = re.compile(r"model|weights|blob|compressed")
RAW = re.compile(r"\braw|uncompressed|unquantized|fp32|payload|float|state_dict|original")
PERHAPS_RAW = ("serialized model", "model size")  # if a smaller size is printed too
MOST = 200


def size_kind(label: str) -> str:
    """model, code, total or nothing: what a label such as `total submission size` counts."""
    label = label.lower()
    if NO_SIZE.search(label):
        return ""
    if CODE.search(label):
        return "code"
    if TOTAL.search(label):
        return "total" if "dir" not in label else ""
    return "model" if MODEL.search(label) else ""


@dataclass(frozen=True)
class Size:
    kind: str
    value: int
    label: str

    @property
    def raw(self) -> bool:
        return RAW.search(self.label) is not None


class Sizes:
    """Takes lines, and keeps the sizes that they print."""

    def __init__(self) -> None:
        self.found: list[Size] = []

    def take(self, line: str) -> None:
        sizes = [pair for pair in pairs(line) if size_kind(pair.key)]
        if len(sizes) > 1 and (in_bytes(sizes) or add_up(sizes)):  # `bytes_model:1 bytes_code:2`
            for pair in sizes:
                self.keep(pair.key, pair.text)
            return
        for part in re.split(r"[|;]", line):
            if match := BYTES.match(part.strip()):
                label = match["label"].strip()
                if match["unit"] or match["of"] or "|" in line or "byte" in label.lower():
                    self.keep(label, match["number"])

    def keep(self, label: str, text: str) -> None:
        digits = re.sub("[,_]", "", text)
        if (kind := size_kind(label)) and digits.isdigit() and len(digits) < 19:
            self.found.append(Size(kind, int(digits), label.lower()))
            del self.found[:-MOST]

    def of_artifact(self, scored: bool) -> tuple[int | None, int | None, int | None]:
        """Model, code and total of the compressed artifact: the last ones that add up.

        Where no artifact was scored, a model alone may be the weights as they were trained.
        """
        of_model, of_code, of_total = (
            [size for size in self.found if size.kind == kind]
            for kind in ("model", "code", "total")
        )
        raw = {size.value for size in of_model if size.raw or self.perhaps_raw(size)}
        raw_totals = {model + code.value for model in raw for code in of_code}
        models = [s.value for s in of_model if not s.raw and s.value not in raw]
        codes = [s.value for s in of_code if not s.raw] or [s.value for s in of_code]
        totals = [s.value for s in of_total if not s.raw and s.value not in raw_totals]
        if not scored and not totals and not any(re.search(r"\+|int", s.label) for s in of_model):
            models = []
        for total in reversed(totals):
            for model in reversed(models):
                for code in reversed(codes):
                    if model + code == total:
                        return model, code, total
        model, code, total = (values[-1] if values else None for values in (models, codes, totals))
        return model, code, total

    def perhaps_raw(self, size: Size) -> bool:
        smaller = any(s.value < size.value for s in self.found if s.kind != "code")
        return size.label in PERHAPS_RAW and smaller


def in_bytes(sizes: list[Pair]) -> bool:
    return sum("byte" in pair.key.lower() for pair in sizes) > 1


def add_up(sizes: list[Pair]) -> bool:
    """Whether `model=1 code=2 total=3` is about sizes, though no unit is told."""
    values = {size_kind(pair.key): pair.value for pair in sizes}
    return values.get("total") == values.get("model", 0) + values.get("code", 0)
