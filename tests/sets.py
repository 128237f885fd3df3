"""Sets of techniques that go together: random ones, one for every pair, few that hold them all.

A set maps each technique to those of its settled choices that are not left at their default.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator
from random import Random

from pgolf_compose.places import used_fragments
from pgolf_compose.plugins import load_library
from pgolf_compose.technique import Value

LIBRARY = load_library()
TECHNIQUES = LIBRARY.techniques
Set = dict[str, dict[str, str | bool]]  # {"xsa": {}, "gptq": {"head": "nearest"}}


def settled(name: str) -> dict[str, tuple[str | bool, ...]]:
    """The options of each settled choice of a technique."""
    return {
        one.name: one.choices or (False, True)
        for one in TECHNIQUES[name].hyperparameters
        if one.settled and (one.choices or isinstance(one.default, bool))
    }


def defaults(name: str) -> dict[str, Value]:
    return {one.name: one.default for one in TECHNIQUES[name].hyperparameters if one.settled}


def choices(chosen: Set) -> list[str]:
    """`gptq.head=nearest`, as `--set` takes it."""
    return [
        f"{name}.{key}={str(option).lower() if isinstance(option, bool) else option}"
        for name in chosen
        for key, option in chosen[name].items()
    ]


def each_option() -> Iterator[Set]:
    """Every technique alone: as it is, and with every other option of its settled choices."""
    for name in TECHNIQUES:
        yield {name: {}}
        for key, options in settled(name).items():
            others = (option for option in options if option != defaults(name)[key])
            yield from ({name: {key: option}} for option in others)


def with_needs(names: Iterable[str]) -> list[str]:
    """Techniques and what they require."""
    chosen = list(dict.fromkeys(names))
    for one in chosen:
        chosen += [need for need in TECHNIQUES[one].requires if need not in chosen]
    return chosen


def exclude_each_other(one: str, other: str, chosen: Set | None = None) -> bool:
    """Declared, or both replace one part."""
    declared = other in TECHNIQUES[one].conflicts or one in TECHNIQUES[other].conflicts
    parts = [replaced(name, **(chosen or {}).get(name, {})) for name in (one, other)]
    return declared or not parts[0].isdisjoint(parts[1])


@functools.cache
def replaced(name: str, **options: str | bool) -> set[str]:
    """The parts that a technique with these choices replaces."""
    fragments = used_fragments(TECHNIQUES[name], {**defaults(name), **options})
    return {one.place for one in fragments if one.verb == "replace"}


def valid(chosen: Iterable[str] | Set) -> bool:
    """All that they require is there, and no two exclude each other."""
    options = chosen if isinstance(chosen, dict) else None
    return set(with_needs(chosen)) == set(chosen) and not any(
        exclude_each_other(*pair, options) for pair in itertools.combinations(chosen, 2)
    )


def valid_pairs() -> list[tuple[str, str]]:
    pairs = itertools.combinations(sorted(TECHNIQUES), 2)
    return [pair for pair in pairs if valid(with_needs(pair))]


def random_sets() -> Iterator[Set]:
    """Five to fifteen techniques that go together, every choice drawn: the same in every run."""
    for seed in itertools.count():
        random = Random(seed)
        size, chosen = random.randint(5, 15), {}
        drawn = {
            name: {key: random.choice(options) for key, options in settled(name).items()}
            for name in sorted(TECHNIQUES)
        }
        for name in random.sample(sorted(TECHNIQUES), len(TECHNIQUES)):
            more = {one: drawn[one] for one in with_needs([*chosen, name])}
            if len(more) <= size and valid(more):
                chosen = more
        if fits(chosen):
            yield chosen


def fits(chosen: Set) -> bool:
    """Whether these choices go together with the defaults of all else."""
    declared = [LIBRARY.hosts["train_gpt"], *(TECHNIQUES[name] for name in chosen)]
    values = {
        each.attribute(one): chosen.get(each.name, {}).get(one.name, one.default)
        for each in declared
        for one in each.hyperparameters
    }
    return not any(each.misfit and each.misfit(values) for each in declared)


def covering_array(size: int = 2) -> list[list[str]]:
    """Valid sets: every one, two or more techniques that go together are in one of them."""
    groups = itertools.combinations(sorted(TECHNIQUES), size)
    left = {names for names in groups if valid(with_needs(names))}
    rows = []
    while left:
        row: list[str] = []
        for names in sorted(left):
            more = with_needs([*row, *names])
            row = more if len(more) > len(row) and valid(more) else row
        rows.append(row)
        left -= set(itertools.combinations(sorted(row), size))
    return rows
