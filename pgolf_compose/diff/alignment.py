"""Which items of one sequence stand in another, in order: lines of texts, statements of functions.

In bounded time: what occurs once in both is paired first, as in Bram Cohen's patience diff, and
only short stretches between such pairs are searched through.
"""

import difflib
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

__all__ = ["aligned", "in_order", "opcodes"]

SHORT = 1000  # items of a stretch that is searched through


def aligned(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Pairs of positions with equal items, rising on both sides."""
    found: list[tuple[int, int]] = []
    open_ = [(0, len(a), 0, len(b))]
    while open_:
        low, high, start, end = open_.pop()
        while low < high and start < end and a[low] == b[start]:
            found.append((low, start))
            low, start = low + 1, start + 1
        while low < high and start < end and a[high - 1] == b[end - 1]:
            high, end = high - 1, end - 1
            found.append((high, end))
        if low == high or start == end:
            continue
        if high - low <= SHORT and end - start <= SHORT:
            matcher = difflib.SequenceMatcher(None, a[low:high], b[start:end])
            for i, j, count in matcher.get_matching_blocks():
                found += [(low + i + n, start + j + n) for n in range(count)]
        elif anchors := once_in_both(a, b, low, high, start, end):
            found += anchors
            for one, other in zip(
                [(low - 1, start - 1), *anchors], [*anchors, (high, end)], strict=True
            ):
                open_.append((one[0] + 1, other[0], one[1] + 1, other[1]))
    return sorted(found)


def once_in_both(a, b, low: int, high: int, start: int, end: int) -> list[tuple[int, int]]:
    """Of what occurs once on either side, the most that stand in one order."""
    ones, others = Counter(a[low:high]), Counter(b[start:end])
    where = {b[n]: n for n in range(start, end) if others[b[n]] == 1}
    pairs = [(n, where[a[n]]) for n in range(low, high) if ones[a[n]] == 1 and a[n] in where]
    return [pairs[n] for n in in_order([other for _, other in pairs])]


def in_order(numbers: Sequence[int]) -> list[int]:
    """Positions of a longest rising subsequence."""
    ends: list[int] = []  # the position of the least number that ends a run of each length
    before: list[int | None] = []
    for n, number in enumerate(numbers):
        length = bisect_left(ends, number, key=lambda at: numbers[at])
        before.append(ends[length - 1] if length else None)
        ends[length : length + 1] = [n]
    found, at = [], ends[-1] if ends else None
    while at is not None:
        found.append(at)
        at = before[at]
    return found[::-1]


def opcodes(a: Sequence[Hashable], b: Sequence[Hashable]) -> Iterator[tuple[int, int, int, int]]:
    """The stretches that differ: items `low` to `high` of `a` became `start` to `end` of `b`."""
    low = start = 0
    for one, other in [*aligned(a, b), (len(a), len(b))]:
        if low < one or start < other:
            yield low, one, start, other
        low, start = one + 1, other + 1
