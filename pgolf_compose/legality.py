"""What techniques declare of a contest's rules, held against a composition's track."""

from dataclasses import dataclass

from pgolf_compose.errors import ComposeError, listed
from pgolf_compose.resolve import Composition

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
        for rule, reason in one.breaks.items()
        if rule in rules
    )


def kept(composition: Composition) -> str:
    """`C3 and 1 (score_first_ttt), 8 (gptq)`: rules that are near, and whose."""
    rules = composition.track.rules
    found = [
        (one.name, [rule for rule in one.keeps if rule in rules]) for one in composition.techniques
    ]
    return ", ".join(f"{listed(near)} ({name})" for name, near in found if near)


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
