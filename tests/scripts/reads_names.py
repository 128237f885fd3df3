"""What asks for names while it runs: each of these has to find them."""

import argparse
import dataclasses
import enum
import operator
import typing
from collections import namedtuple
from functools import partial, singledispatch


@dataclasses.dataclass
class Config:
    width: int = 3
    depth_limit: int = 4
    labels: list[str] = dataclasses.field(default_factory=list)


class Color(enum.Enum):
    dark_red = 1
    light_blue = 2


class Row(typing.NamedTuple):
    left_side: int
    right_side: str = "r"


class Registry:
    known: typing.ClassVar[dict] = {}

    def __init__(self, **options):
        self.option_count = len(options)
        for option_name, option_value in options.items():
            setattr(self, option_name, option_value)

    def handle_start(self, message, times=1):
        return f"start {message * times}"

    def handle_stop(self, message, times=1):
        return f"stop {message * times}"

    def dispatch(self, kind, **words):
        return getattr(self, f"handle_{kind}")(**words)


class Lazy:
    __slots__ = ("first_part", "second_part")

    def __init__(self, first_part):
        self.first_part = first_part

    def __getattr__(self, wanted):
        if wanted == "second_part":
            self.second_part = self.first_part * 2
            return self.second_part
        raise AttributeError(wanted)


@singledispatch
def describe(thing):
    return "thing"


@describe.register
def _(thing: int):
    return "number"


def scaled(value, factor=2, **rest):
    return value * factor + sum(rest.values())


class Counter:
    total_count = 0

    def bump_up(self, amount=1):
        self.total_count += amount
        return self

    @property
    def doubled_total(self):
        return 2 * self.total_count

    @doubled_total.setter
    def doubled_total(self, new_value):
        self.total_count = new_value // 2

    @classmethod
    def starting_at(cls, begin_at):
        made = cls()
        made.total_count = begin_at
        return made


def counting():
    count = 0

    def more(step=1):
        nonlocal count
        count += step
        return count

    return more


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-depth", type=int, default=5)
    arguments = parser.parse_args([])
    print(arguments.max_depth, sorted(vars(arguments)))
    print(Config(depth_limit=7), dataclasses.asdict(Config()))
    print(Color["dark_red"].name, [one.name for one in Color])
    print(Row(1), Row(left_side=2)._asdict())
    registry = Registry(speed=3, a=1, e=2, message=4)
    print(registry.speed, registry.a, registry.e, registry.message, registry.option_count)
    print(registry.dispatch("start", message="x", times=2), registry.dispatch("stop", message="y"))
    print(Lazy(4).second_part, operator.attrgetter("first_part")(Lazy(5)))
    point = namedtuple("point", "across upward")(1, 2)
    print(point.across, point.upward, describe(3), describe("x"))
    print(partial(scaled, factor=5)(2), scaled(3, a=1, value_added=4), scaled(**{"value": 6}))
    counter = Counter.starting_at(begin_at=5).bump_up(amount=2)
    counter.doubled_total = 40
    print(counter.total_count, counter.doubled_total, Counter.total_count)
    more = counting()
    print(more(), more(step=3), [more(n) for n in range(2)])
    values = {"x": 2}
    print(eval("x + 1", {}, values), sorted(dir(Counter))[-1])


main()
