"""What techniques declare of a contest's rules, held against a composition's track."""

import itertools
from dataclasses import dataclass

from pgolf_compose.errors import ComposeError, listed
from pgolf_compose.resolve import Composition
from pgolf_compose.technique import Technique

__all__ = ["Violation", "check_legal", "kept", "noncompliance", "violations"]


@dataclass(frozen=True)
class Violation:
    """A technique, the rule of the track that it breaks, and how."""

    technique: str
    rule: str
    statement: str
    reason: str


def violations(composition: Composition) -> tuple[Violation, ...]:
    """Every declared breach of a rule that binds on the composition's track."""
    rules = composition.track.rules
    return tuple(
        Violation(one.name, rule, rules[rule], reason)
        for one in composition.techniques
        for rule, reason in broken(composition, one).items()
        if rule in rules
    )


def broken(composition: Composition, technique: Technique) -> dict[str, str]:
    """The rules that a technique violates as it is set here, and how."""
    settled = composition.settled(technique)
    by_choice = (one.breaks.get(settled.get(one.name), {}) for one in technique.hyperparameters)
    return {**technique.breaks, **dict(itertools.chain.from_iterable(map(dict.items, by_choice)))}


def kept(composition: Composition) -> dict[str, list[str]]:
    """By technique, the rules of the track that are near and that it declares to keep."""
    rules = composition.track.rules
    found = {
        one.name: [r for r in one.keeps if r in rules and r not in broken(composition, one)]
        for one in composition.techniques
    }
    return {name: near for name, near in found.items() if near}


def noncompliance(composition: Composition) -> str:
    """`not compliant with 10min_16mb: x breaks rule C3 and rule 1`; empty where nothing does."""
    broken: dict[str, list[str]] = {}
    for one in violations(composition):
        broken.setdefault(one.technique, []).append(f"rule {one.rule}")
    if not broken:
        return ""
    told = listed(f"{name} breaks {listed(rules)}" for name, rules in broken.items())
    return f"not compliant with {composition.track.name}: {told}"


def check_legal(composition: Composition) -> None:
    """A record track takes no technique that declares to break one of its rules."""
    found = violations(composition)
    if found and composition.track.record:
        one = found[0]
        raise ComposeError(
            f"{one.technique} breaks rule {one.rule} of {composition.track.name}, "
            f"{one.statement!r}: {one.reason}; leave it out, or give --allow-noncompliant "
            "for a script that says so and is no submission",
            composition.recipe.chosen[one.technique],
        )
