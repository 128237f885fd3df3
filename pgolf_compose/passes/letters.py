"""Which letter each name gets: the one that makes the text repeat itself most.

Compressors gain by runs of words that stood before. So a name's letters are tried in turn, and the
one stays with which the fewest new runs of two to six words come up. It is cheaper by far than to
compress the text each time, and helps every compressor alike.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from pgolf_compose.passes.scopes import Binding, Scope

__all__ = ["Text", "alike"]

RUNS = (2, 3, 4, 6)  # words
TRIED = 30  # names for each binding
SWEEPS = 3
LONG = 30_000  # words: one sweep is enough
WORD = re.compile(r"[^\W\d]\w*|\d+|\W")
# a run's n-th coming costs 1/n: what is frequent is cheap, what is new is dear
COST = [0.0, *accumulate(1 / n for n in range(1, 30000))]


class Text:
    """Printed text with blanks for names: filling them in is much faster than printing."""

    def __init__(self, parts: Sequence[str], bindings: Sequence[Binding]) -> None:
        """Every second part is a blank: the number of its binding."""
        self.parts, self.bindings = list(parts), list(bindings)
        self.blanks = [int(one) for one in parts[1::2]]

    def filled(self, given: Mapping[Binding, str]) -> str:
        names = [given[one] for one in self.bindings]
        self.parts[1::2] = [names[one] for one in self.blanks]
        return "".join(self.parts)


class Words:
    """The text as words, each a character of its own, and how often each run of them occurs."""

    def __init__(self, text: Text, given: Mapping[Binding, str]) -> None:
        self.codes: dict[str, str] = {}
        self.places: dict[Binding, list[int]] = defaultdict(list)
        words: list[str] = []
        for n, part in enumerate(text.parts):
            if n % 2:
                binding = text.bindings[text.blanks[n // 2]]
                self.places[binding].append(len(words))
                words.append(self.code(given[binding]))
            else:
                words += map(self.code, WORD.findall(part))
        self.words = words
        line = "".join(words)
        self.runs = Counter(line[n : n + k] for k in RUNS for n in range(len(line) - k + 1))

    def code(self, word: str) -> str:
        return self.codes.setdefault(word, chr(0x10000 + len(self.codes)))

    def around(self, places: list[int]) -> Iterator[str]:
        """Every run that holds one of the places, which are in order."""
        line = "".join(self.words)
        for k in RUNS:
            start, last = 0, len(line) - k
            for place in places:
                for n in range(max(start, place - k + 1), min(place, last) + 1):
                    yield line[n : n + k]
                start = place + 1

    def change(self, moves: Mapping[Binding, str]) -> float:
        """Put other names in; returns by how much dearer the text becomes."""
        places = sorted(place for one in moves for place in self.places[one])
        runs, cost = self.runs, 0.0
        for run in self.around(places):
            cost -= COST[runs[run]] - COST[runs[run] - 1]
            runs[run] -= 1
        for one, name in moves.items():
            code = self.code(name)
            for place in self.places[one]:
                self.words[place] = code
        for run in self.around(places):
            runs[run] += 1
            cost += COST[runs[run]] - COST[runs[run] - 1]
        return cost

    def costs(self, binding: Binding, name: str, others: Sequence[str]) -> list[float]:
        """What the text costs with each of other names instead of `name`, about."""
        blank, places = "\0", self.places[binding]
        for place in places:
            self.words[place] = blank
        runs = Counter(self.around(places))
        for place in places:
            self.words[place] = self.code(name)
        now = self.code(name)
        mine = [(run, count) for run, count in runs.items()]
        without = {run.replace(blank, now): count for run, count in mine}
        known, found = self.runs, []
        get = known.get
        for other in [name, *others]:
            code, cost = self.code(other), 0.0
            for run, count in mine:
                whole = run.replace(blank, code)
                before = get(whole, 0) - without.get(whole, 0)
                cost += COST[before + count] - COST[before]
            found.append(cost)
        return [one - found[0] for one in found[1:]]


def alike(
    text: Text, given: Mapping[Binding, str], kept: Mapping[Scope, set[str]], names: Sequence[str]
) -> dict[Binding, str]:
    """Names that differ from the given ones where that makes the text more alike."""
    given, tried = dict(given), [names[n] for n in range(TRIED)]
    words = Words(text, given)
    owners: dict[Scope, dict[str, Binding | None]] = {
        scope: dict.fromkeys(ones) for scope, ones in kept.items()
    }
    for binding, name in given.items():
        for scope in binding.live:
            owners[scope][name] = binding

    def blocking(binding: Binding, name: str) -> set[Binding | None]:
        return {owners[scope][name] for scope in binding.live if name in owners[scope]}

    order = sorted(words.places, key=lambda one: len(words.places[one]), reverse=True)
    sweeps = SWEEPS if len(words.words) < LONG else 1
    for _ in range(sweeps):
        changed = False
        for binding in order:
            now = given[binding]
            moves = {}
            for name in tried:
                found = blocking(binding, name) if name != now else {None}
                if not found:
                    moves[name] = {binding: name}
                elif len(found) == 1 and None not in found:
                    (other,) = found
                    if blocking(other, now) <= {binding}:
                        moves[name] = {binding: name, other: now}
            costs = words.costs(binding, now, list(moves))
            for cost, name in sorted(zip(costs, moves, strict=True))[:2]:
                move = moves[name]
                if len(move) == 2:
                    cost += words.costs(*list(move)[1:], given[list(move)[1]], [now])[0]
                if cost > -1e-6:
                    continue
                if words.change(move) > -1e-6:
                    words.change({one: given[one] for one in move})
                    continue
                for one in move:
                    for scope in one.live:
                        del owners[scope][given[one]]
                for one, name in move.items():
                    given[one] = name
                    for scope in one.live:
                        owners[scope][name] = one
                changed = True
                break
        if not changed:
            break
    return given
