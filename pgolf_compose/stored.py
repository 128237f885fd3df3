"""What the model takes in the artifact, told before it is trained, by the script's own quantiser.

Its `quantize` runs on stand-ins, and where it asks for a row's numbers these are Gaussian, of
deviation 1. A rule that sets a row's step by its deviation (SDClip) then says how many bits a
weight keeps: the entropy of a Gaussian on that grid. Rules that ask for more raise `Unknown`.
"""

import itertools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pgolf_compose.script import Script
from pgolf_compose.shapes import Tensor, Unknown, built

__all__ = ["CODECS", "Class", "entropy", "model_classes"]

# What a codec makes of a byte of entropy, least and most. All 40 public runs with SDClip and brotli
# lie within, at other clips and bits too; test_stored.py holds them to it: 0.2 % off the middle.
CODECS = {"brotli": (1.0085, 1.0125)}


@dataclass(frozen=True)
class Class:
    """Tensors stored alike: those of a name in all layers, or whatever stays a float."""

    name: str
    tensors: int
    numbers: int
    bits: int  # of one as it is stored
    entropy: float  # bits of one that are left when nothing is told twice
    bytes: tuple[int, int]  # least and most, compressed


class Weights(Tensor):
    """A tensor of the model with the size of its numbers."""

    def __init__(self, shape: Iterable[int], itemsize: int = 4):
        super().__init__(shape)
        self.itemsize = itemsize

    def to(self, kind: object, *args, **kwargs) -> "Weights":
        return Weights(self.shape, getattr(kind, "itemsize", self.itemsize))

    def float(self) -> "Weights":
        return Weights(self.shape)

    def is_floating_point(self) -> bool:
        return True

    def view(self, *shape: int) -> "Weights":
        rest = self.numel() // abs(math.prod(shape))
        return Weights([rest if n == -1 else n for n in shape], self.itemsize)

    def view_as(self, other: Tensor) -> "Weights":
        return Weights(other.shape, self.itemsize)

    def std(self, dim: int) -> "Step":
        return Step(1.0)

    detach = cpu = Tensor.same


class Step:
    """A number for each row, in deviations of the row."""

    def __init__(self, value: float):
        self.value = value

    def scaled(self, other: float) -> "Step":
        return Step(self.value * other)

    def over(self, other: float) -> "Step":
        return Step(self.value / other)

    def clamp_min(self, least: float) -> "Step":
        if least > 2**-24:
            raise Unknown("a least step")
        return self

    def to(self, *args) -> "Step":
        return self

    def float(self) -> "Step":
        return self

    __mul__ = __rmul__ = scaled
    __truediv__ = over


def stored(script: Script) -> dict[str, tuple[Tensor, int, float]]:
    """Of each parameter its shape, its bits and, if these are an integer's, the step of a row."""
    space, model = built(script)
    found: dict[str, tuple[Tensor, int, float]] = {}

    def quantize_rows(h, name, w, kind, bits, hessians):
        try:
            [(_, step)] = space["clipped"](h, name, w, kind, bits, {})
        except (Unknown, AttributeError, TypeError, ValueError):
            raise Unknown("more than a row's deviation sets its step") from None
        found[name] = w, bits, step.value
        return w, step

    state = {name: Weights(value.shape) for name, value in model.named_parameters()}
    model.state_dict = lambda: state
    space["quantize_rows"] = quantize_rows
    space["collect_hessians"] = lambda h, model: {}  # integers keep their histogram under GPTQ
    try:
        kept = space["quantize"](space["Hyperparameters"](), model)
    except (Exception, SystemExit) as error:
        raise Unknown(str(error)) from None
    for name, value in kept.items():
        if isinstance(value, Weights):
            found[name] = value, 8 * value.itemsize, 0.0
    return found


def entropy(step: float, top: int) -> float:
    """Bits of a Gaussian of deviation 1, rounded to a multiple of `step` up to `top` of them."""
    edges = [-math.inf, *((n - 0.5) * step for n in range(1 - top, top + 1)), math.inf]
    below = [(1 + math.erf(edge / 2**0.5)) / 2 for edge in edges]
    odds = [b - a for a, b in itertools.pairwise(below)]
    return -sum(p * math.log2(p) for p in odds if p > 0)


def model_classes(script: Script) -> list[Class]:
    """The model's classes of tensors, largest first; the codec is the script's."""
    codec = (re.findall(r'^CODEC = "(\w+)"$', script.code, re.M) or ["its codec"])[0]
    if codec not in CODECS:
        raise Unknown(f"no public run tells what {codec} makes of these integers")
    grouped: dict[tuple, list[tuple[Tensor, int, float]]] = {}
    for name, (tensor, bits, step) in stored(script).items():
        called = re.sub(r"\b\d+\b", "*", name) if step else f"floats of {bits} bits"
        grouped.setdefault((called, bits, step), []).append((tensor, bits, step))
    found = []
    for (name, bits, step), members in grouped.items():
        numbers = sum(tensor.numel() for tensor, *_ in members)
        each = entropy(step, 2 ** (bits - 1) - 1) if step else float(bits)
        whole = numbers * each / 8
        if step:  # a float16 for each row, of which most of the exponent is told twice
            whole += sum(1.4 * tensor.shape[0] for tensor, *_ in members)
        least, most = (int(whole * factor) for factor in CODECS[codec])
        found.append(Class(name, len(members), numbers, bits, each, (least, most)))
    return sorted(found, key=lambda one: -one.bytes[1])
