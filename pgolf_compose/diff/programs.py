"""Two scripts compared as trees, function by function.

Formatting, comments, docstrings, annotations that nothing reads and names of local variables are
no difference. Where one script's names were made short, all names that a script gives are left
out of account, as long as each stands for one of the other's throughout.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from pgolf_compose.diff.alignment import aligned, in_order
from pgolf_compose.diff.pieces import (
    SHORT,
    Line,
    Piece,
    Program,
    hoists,
    is_minified,
    read_program,
)

__all__ = ["Change", "Comparison", "compare_programs"]

SIMILAR = 0.5  # least share of its tree that makes a function another one changed
SMALL = 20  # words of a function that others are like by chance
COMMON = 50  # functions that hold a line: more, and it says nothing about which is which


@dataclass(frozen=True)
class Change:
    """What became of a piece of A; `name` or `other` is empty where A or B has none."""

    kind: str  # added, removed, changed, moved or renamed
    what: str  # function, class or module
    name: str
    other: str
    numbers: tuple[int, int]  # first lines
    removed: int = 0  # lines: statements of it, or all of its text
    added: int = 0
    same: float = 1.0  # share of its tree


@dataclass(frozen=True)
class Comparison:
    changes: tuple[Change, ...]
    same: int  # pieces that do not differ
    by_structure: bool  # names were left out of account

    @property
    def differ(self) -> bool:
        """Whether anything did more than take another name."""
        return any(one.kind != "renamed" for one in self.changes)


@dataclass
class Match:
    """Pieces of A with those of B that they are."""

    of: dict[Piece, Piece] = field(default_factory=dict)
    back: dict[Piece, Piece] = field(default_factory=dict)

    def add(self, one: Piece, other: Piece) -> None:
        self.of[one], self.back[other] = other, one

    def left(self, a: Program, b: Program) -> tuple[list[Piece], list[Piece]]:
        return (
            [one for one in a.pieces if one not in self.of],
            [one for one in b.pieces if one not in self.back],
        )


def compare_programs(one: ast.Module, other: ast.Module) -> Comparison:
    """What became of each function, each class and the rest of A, in B; the trees are changed."""
    by_structure = is_minified(one) or is_minified(other)
    constants = by_structure or hoists(one) or hoists(other)
    a, b = (read_program(tree, constants, by_structure) for tree in (one, other))
    side = Structure(a, b) if by_structure else Names(a, b)
    changes = collapsed([*side.changes()], a, b)
    same = len(side.match.of) - sum(bool(one.name and one.other) for one in changes)
    order = ("removed", "added", "changed", "moved", "renamed")
    changes.sort(key=lambda one: (order.index(one.kind), one.numbers))
    return Comparison(tuple(changes), same, by_structure)


def collapsed(changes: list[Change], a: Program, b: Program) -> list[Change]:
    """A class that is added or removed with all its methods is one change."""
    gone = {
        (one.kind, one.name or one.other) for one in changes if one.kind in ("added", "removed")
    }
    whole = {
        (kind, one.name)
        for kind, side in (("removed", a), ("added", b))
        for one in side.pieces
        if one.kind == "class" and (kind, one.name) in gone
        if all((kind, it.name) in gone for it in side.pieces if it.name.startswith(f"{one.name}."))
    }

    def part(one: Change) -> bool:
        above = (one.name or one.other).rpartition(".")[0]
        return (one.kind, above) in whole

    return [one for one in changes if not part(one)]


class Names:
    """The comparison by names, then by bodies."""

    def __init__(self, a: Program, b: Program) -> None:
        self.a, self.b = a, b
        self.match = Match()
        self.renamed: dict[tuple[str, object], object] = {}
        self.paired: dict[tuple[Piece, Piece], list[tuple[Line, Line]]] = {}
        self.pair()

    # pairing

    def pair(self) -> None:
        others = {(one.name, one.kind): one for one in self.b.pieces}
        for one in self.a.pieces:
            if other := others.get((one.name, one.kind)):
                self.match.add(one, other)
        self.pair_classes()
        self.pair_equal()
        self.pair_similar()
        self.pair_homes()
        self.note_renamed()

    def pair_classes(self) -> None:
        """A class under another name is the one with most methods that are the same."""
        left, others = self.match.left(self.a, self.b)
        keys = {one: self.key(one, 0) for one in (*left, *others) if one.kind == "function"}
        homes: dict[str, list[str]] = defaultdict(list)
        for one in others:
            if one in keys and one.parent:
                homes[keys[one]].append(one.parent)
        classes = {one.name: one for one in others if one.kind == "class"}
        for one in left:
            if one.kind != "class":
                continue
            inside = [piece for piece in left if piece.parent == one.name and piece in keys]
            votes = Counter(home for piece in inside for home in homes.get(keys[piece], ()))
            best = next((name for name, _ in votes.most_common() if name in classes), None)
            if best and 2 * votes[best] >= len(inside):
                self.match.add(one, classes.pop(best))
                named = {piece.last: piece for piece in others if piece.parent == best}
                for piece in inside:
                    if piece.last in named:
                        self.match.add(piece, named[piece.last])

    def pair_equal(self) -> None:
        left, others = self.match.left(self.a, self.b)
        waiting: dict[str, list[Piece]] = defaultdict(list)
        for one in others:
            if self.tells(one, self.b):
                waiting[one.kind + self.key(one, 1)].append(one)
        for one in left:
            if self.tells(one, self.a):
                found = waiting.get(one.kind + self.key(one, 0), [])
                near = [other for other in found if self.home(one) == other.parent]
                if near or (found and one.weight >= SMALL):
                    other = (near or found)[0]
                    found.remove(other)
                    self.match.add(one, other)

    def tells(self, piece: Piece, program: Program) -> bool:
        """Whether there is more in a piece than the first line of a class that has methods."""
        return len(piece.lines) > 1 or all(one.parent != piece.name for one in program.pieces)

    def pair_homes(self) -> None:
        """Classes by their methods."""
        left, others = self.match.left(self.a, self.b)
        classes = {one.name: one for one in others if one.kind == "class"}
        votes: dict[str, Counter[str]] = defaultdict(Counter)
        for one, other in self.match.of.items():
            if one.parent and other.parent in classes:
                votes[one.parent][other.parent] += one.weight
        for one in left:
            if one.kind == "class" and one.name in votes:
                best = votes[one.name].most_common(1)[0][0]
                if best in classes:
                    self.match.add(one, classes.pop(best))

    def pair_similar(self) -> None:
        """Those of one kind that have most in common, the most alike first."""
        left, others = self.match.left(self.a, self.b)
        holders: dict[object, list[Piece]] = defaultdict(list)
        for other in others:
            if not self.tells(other, self.b):
                continue
            for key in {self.line_key(line, 1) for line in other.lines}:
                holders[other.kind, key].append(other)
        weights = {one: max(1, one.weight) for one in (*left, *others)}
        found = []
        for one in left:
            shared: Counter[Piece] = Counter()
            for line in one.lines:
                near = holders.get((one.kind, self.line_key(line, 0)), ())
                if len(near) <= COMMON:
                    for other in near:
                        shared[other] += line.weight
            found += [
                (2 * count / (weights[one] + weights[other]), one, other)
                for other, count in shared.items()
            ]
        for share, one, other in sorted(found, key=lambda row: -row[0]):
            if share >= SIMILAR and one not in self.match.of and other not in self.match.back:
                self.match.add(one, other)

    def note_renamed(self) -> None:
        """Names that stand for each other because what they name does."""
        defined = [{one.last for one in side.pieces} for side in (self.a, self.b)]
        for one, other in self.match.of.items():
            if one.last not in defined[1] and other.last not in defined[0]:
                for kind in ("global", "attribute"):
                    self.renamed.setdefault((kind, one.last), other.last)

    # keys

    def key(self, piece: Piece, side: int) -> str:
        """Equal for pieces that differ in loose names only; by names, also in their own."""
        numbers: dict[object, int] = {}
        words = []
        for line in piece.lines:
            words.append(line.shape)
            for kind, name in line.names:
                if self.loose(kind, name, side):
                    words.append(f"{kind} {numbers.setdefault((kind, name), len(numbers))}")
                else:
                    itself = name == piece.last and not self.structural
                    words.append("itself" if itself else str(name))
        return "\n".join(words)

    def line_key(self, line: Line, side: int) -> tuple:
        """Of a line of A (side 0) or B: what has to be equal for two to be paired."""
        names = []
        for kind, name in line.names:
            if kind == "local":
                names.append(None)
            else:
                names.append(self.renamed.get((kind, name), name) if side == 0 else name)
        return line.shape, *names

    def loose(self, kind: str, name: object, side: int) -> bool:
        return kind == "local"

    # differing

    def changes(self) -> Iterator[Change]:
        left, others = self.match.left(self.a, self.b)
        for one in left:
            yield Change("removed", one.kind, one.name, "", (one.number, 0), one.length)
        for one in others:
            yield Change("added", one.kind, "", one.name, (0, one.number), 0, one.length)
        moved = self.moved()
        for one, other in self.match.of.items():
            removed, added, same = self.difference(one, other)
            about = (one.kind, one.name, other.name, (one.number, other.number))
            if removed or added:
                yield Change("changed", *about, removed, added, same)
            elif self.home(one) not in (other.parent, None) or one in moved:
                yield Change("moved", *about)
            elif one.last != other.last and not self.structural:
                yield Change("renamed", *about)

    structural = False

    def home(self, piece: Piece) -> str:
        """The class of B that a piece of A should be in."""
        for one, other in self.match.of.items():
            if one.kind == "class" and one.name == piece.parent:
                return other.name
        return piece.parent

    def moved(self) -> set[Piece]:
        """Pieces that stand in another order, the fewest that can be said to have moved."""
        place = {one: n for n, one in enumerate(self.b.pieces)}
        rows: dict[str, list[Piece]] = defaultdict(list)
        for one in self.a.pieces:
            if one in self.match.of and self.match.of[one].parent == self.home(one):
                rows[one.parent].append(one)
        found = set()
        for row in rows.values():
            stay = {row[n] for n in in_order([place[self.match.of[one]] for one in row])}
            found |= {one for one in row if one not in stay}
        return found

    def difference(self, one: Piece, other: Piece) -> tuple[int, int, float]:
        """Lines removed, lines added, share of the tree that is the same."""
        pairs = self.lines_paired(one, other)
        known = self.known()
        votes: Counter[tuple] = Counter()
        for line, twin in pairs:
            votes.update(self.loose_pairs(line, twin))
        mapping, back = agreed(votes)
        same = weight = 0
        for line, twin in pairs:
            if all(
                (known.get(x) or mapping.get(x)) == y and (x in known or back.get(y) == x)
                for x, y in self.loose_pairs(line, twin)
            ):
                same, weight = same + 1, weight + line.weight
        whole = one.weight + other.weight
        share = 2 * weight / whole if whole else 1.0
        return len(one.lines) - same, len(other.lines) - same, share

    def lines_paired(self, one: Piece, other: Piece) -> list[tuple[Line, Line]]:
        if (one, other) not in self.paired:
            keys = [self.line_key(line, 0) for line in one.lines]
            pairs = aligned(keys, [self.line_key(line, 1) for line in other.lines])
            self.paired[one, other] = [(one.lines[i], other.lines[j]) for i, j in pairs]
        return self.paired[one, other]

    def known(self) -> dict:
        return {}

    def loose_pairs(self, line: Line, twin: Line) -> Iterator[tuple]:
        for (kind, name), (_, other) in zip(line.names, twin.names, strict=True):
            if self.loose(kind, name, 0):
                yield (kind, name), (kind, other)


class Structure(Names):
    """The comparison where names were made short: by shapes, then by what names stand for."""

    structural = True

    def __init__(self, a: Program, b: Program) -> None:
        kept = {one for one in a.own & b.own if len(one) > SHORT or one.startswith("__")}
        self.soft = [side.own - kept for side in (a, b)]
        self.names: dict = {}
        super().__init__(a, b)

    def pair(self) -> None:
        waiting = [Counter(map(self.shape_key, side.pieces)) for side in (self.a, self.b)]
        others = {self.shape_key(one): one for one in self.b.pieces}
        for one in self.a.pieces:
            key = self.shape_key(one)
            if one.kind == "module" or waiting[0][key] == waiting[1][key] == 1:
                other = self.b.pieces[0] if one.kind == "module" else others[key]
                if one.kind != "class":
                    self.match.add(one, other)
        for _ in range(2):
            self.pair_homes()
            self.learn()
            self.pair_named()
        self.pair_equal()
        self.pair_homes()
        self.learn()
        self.pair_named()
        self.pair_similar()
        self.pair_homes()
        self.learn()
        self.pair_named(least=0)
        self.pair_homes()
        self.learn()

    def shape_key(self, piece: Piece) -> str:
        return piece.kind + self.key(piece, 0 if piece in self.in_a else 1)

    @cached_property
    def in_a(self) -> frozenset[Piece]:
        return frozenset(self.a.pieces)

    def learn(self) -> None:
        """Which of A's names stand for which of B's, by the lines that are paired so far."""
        votes: Counter[tuple] = Counter()
        for one, other in self.match.of.items():
            for line, twin in self.lines_paired(one, other):
                votes.update(pair for pair in self.loose_pairs(line, twin) if pair[0][0] != "local")
        self.names, _ = agreed(votes)

    def pair_named(self, least: float = SIMILAR) -> None:
        """Functions that callers name; `least` of their trees the same."""
        left, others = self.match.left(self.a, self.b)
        classes = {a.name: b.name for a, b in self.match.of.items() if a.kind == "class"}
        named = {(one.kind, one.name): one for one in others}
        for one in left:
            kind = "attribute" if one.parent else "global"
            last = self.names.get((kind, one.last), (kind, one.last))[1]
            home = classes.get(one.parent, one.parent)
            other = named.pop((one.kind, f"{home}.{last}" if home else last), None)
            if other is not None and self.share(one, other) >= least:
                self.match.add(one, other)

    def share(self, one: Piece, other: Piece) -> float:
        same = sum(line.weight for line, _ in self.lines_paired(one, other))
        return 2 * same / max(1, one.weight + other.weight)

    def loose(self, kind: str, name: object, side: int) -> bool:
        return kind != "attribute" or name in self.soft[side]

    def line_key(self, line: Line, side: int) -> tuple:
        names = [(kind,) if self.loose(kind, name, side) else name for kind, name in line.names]
        return line.shape, *names

    def known(self) -> dict:
        return self.names

    def home(self, piece: Piece) -> str | None:
        if not piece.parent:
            return ""
        for one, other in self.match.of.items():
            if one.kind == "class" and one.name == piece.parent:
                return other.name
        return None


def agreed(votes: Counter[tuple]) -> tuple[dict, dict]:
    """One to one: for each name the one it is paired with most, the first of equals."""
    mapping: dict = {}
    back: dict = {}
    for (one, other), _ in votes.most_common():
        if one not in mapping and other not in back:
            mapping[one], back[other] = other, one
    return mapping, back
