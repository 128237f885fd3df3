"""Printed scores, and which of them tell the compressed artifact's evaluations."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from pgolf_compose.logs.words import kind_of

__all__ = ["Score", "by_evaluation", "evaluations", "rounded_alike", "settled"]

NEAR = 200  # scores back that one may repeat


@dataclass(frozen=True)
class Score:
    """A printed score of the whole validation split."""

    name: str
    val_bpb: float | None
    val_loss: float | None  # nats per token
    line: int
    seconds: float | None
    digits: int  # decimals of val_bpb as printed
    final: bool  # of the compressed artifact
    text: str = ""  # val_bpb as printed
    repeats: int | None = None  # the line of the first printing of the same evaluation

    @property
    def kind(self) -> str:
        return "training" if self.name == "step" else kind_of(self.name)


def settled(scores: Iterable[Score], trained_until: int) -> tuple[Score, ...]:
    """With what only the end of a log decides: which are final, and which repeat another.

    What stands before the line of training's last step is not the artifact's; a name of plain
    words is, if no other is.
    """
    scores = list(scores)
    named = any(s.final and s.line >= trained_until for s in scores)
    result: list[Score] = []
    for score in scores:
        final = score.kind in ("artifact", "unknown") or (score.kind == "plain" and not named)
        score = replace(score, final=final and score.line >= trained_until)
        near = reversed(result[-NEAR:]) if score.final else ()
        same = next((s.line for s in near if same_evaluation(s, score, result[-1])), None)
        result.append(replace(score, repeats=same))
    return tuple(first_lines(result))


def first_lines(scores: Iterable[Score]) -> Iterator[Score]:
    """Each repetition tells the first printing of its evaluation."""
    first: dict[int, int] = {}
    for score in scores:
        if score.repeats is not None:
            score = replace(score, repeats=first.get(score.repeats, score.repeats))
            first[score.line] = score.repeats
        yield score


def same_evaluation(earlier: Score, score: Score, last: Score) -> bool:
    """Whether two printings tell one evaluation; `last` is the one right before `score`.

    Equal to six decimals is the same under any name. With fewer, the names have to be twins, or
    the one printed right before has other digits, as `x` and `x_exact` have.
    """
    if not earlier.final or not rounded_alike(earlier.text, score.text):
        return False
    if None not in (earlier.val_loss, score.val_loss):
        digits = min(earlier.digits, score.digits, 8)
        if abs(earlier.val_loss - score.val_loss) > 0.6 * 10**-digits:
            return False
    if min(earlier.digits, score.digits) >= 6:
        return True
    twins = twin(earlier.name) == twin(score.name)
    return twins or (last is earlier and earlier.digits != score.digits)


def twin(name: str) -> str:
    return re.sub(r"[_ ]exact\b", "", name.lower())


def rounded_alike(a: str, b: str) -> bool:
    """Whether one printed number is the other rounded, or both are the same.

    >>> rounded_alike("1.2244", "1.22436570"), rounded_alike("1.2243", "1.22436570")
    (True, False)
    """
    if not a or not b:
        return a == b
    shorter, longer = sorted((a, b), key=lambda text: len(text.partition(".")[2]))
    try:
        step = Decimal(1).scaleb(-len(shorter.partition(".")[2]))
        return abs(Decimal(shorter) - Decimal(longer)) <= step / 2
    except InvalidOperation:
        return False


def by_evaluation(scores: Sequence[Score]) -> list[list[Score]]:
    """The artifact's scores, all printings of an evaluation together; a line may print several."""
    by_line: dict[int, list[list[Score]]] = {}
    for score in filter(lambda one: one.final, scores):
        here = by_line.setdefault(score.repeats or score.line, [])
        alike = (group for group in here if rounded_alike(group[0].text, score.text))
        group = next(alike, None) if score.repeats else None
        if group is None:
            here.append([score])
        else:
            group.append(score)
    return [group for here in by_line.values() for group in here]


def evaluations(scores: Sequence[Score]) -> tuple[Score, ...]:
    """The artifact's, each once in its printing with most digits, of equals the first."""
    return tuple(max(group, key=lambda s: s.digits) for group in by_evaluation(scores))
