"""Loss curves: in a terminal, and as an SVG that is the same bytes for the same logs.

Both show the loss of training and of validation against the step: in a terminal as a line and as
points on their own, or as small and capital letters; in the SVG as a thin and a thick line. A start
that is far above the rest is cut off, and the plot says so.
"""

import html
import itertools
import math
import os
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pgolf_compose.logs import Log

__all__ = ["OURS", "colour_wanted", "labels", "svg", "terminal"]

# of equal lightness and told apart by the colour-blind; each works on white and on near-black
COLOURS = ("#3b78d8", "#d9730d", "#2e9e5b", "#c2409a", "#8a63d2", "#a07d00", "#1198a8", "#d64545")
TERMINAL = ("blue", "yellow", "green", "magenta", "cyan", "red")
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
LINE, MARK = "⣿", "●"  # in a legend: a line of braille, a point of validation
APART = 4  # columns between two such points
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 380, 58, 16, 44, 44


@dataclass(frozen=True)
class Curve:
    label: str
    train: tuple[tuple[float, float], ...]
    val: tuple[tuple[float, float], ...]

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        return self.train + self.val


@dataclass(frozen=True)
class Axis:
    low: float
    high: float
    ticks: tuple[float, ...]
    digits: int

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def text(self, tick: float) -> str:
        return f"{tick:,.{self.digits}f}"


def labels(logs: Sequence[Log]) -> list[str]:
    """The shortest ends of the logs' paths that tell them apart."""
    parts = [log.path.parts for log in logs]
    result = []
    for own in parts:
        count = 1
        while count < len(own) and sum(other[-count:] == own[-count:] for other in parts) > 1:
            if all(other == own or other[-count:] != own[-count:] for other in parts):
                break
            count += 1
        result.append("/".join(own[-count:]))
    return result


def curve(log: Log, label: str) -> Curve:
    def series(name: str) -> tuple[tuple[float, float], ...]:
        values = ((p.step, getattr(p, name)) for p in log.points)
        return tuple((step, value) for step, value in values if finite(value))

    return Curve(label, series("train_loss"), series("val_loss"))


def finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and abs(value) < 1e6


def round_axis(low: float, high: float, about: int) -> Axis:
    """An axis over a range, its ticks at 1, 2 or 5 times a power of ten."""
    if not low < high:
        spread = abs(low) / 10 or 1.0
        low, high = low - spread, high + spread
    rough = (high - low) / max(about, 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next((m * unit for m in (1, 2, 5) if m * unit >= rough * 0.999), 10 * unit)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return Axis(low, high, tuple(n * step for n in range(first, last + 1)), digits)


def loss_range(curves: Sequence[Curve]) -> tuple[float, float, bool]:
    """From the least loss to where all curves but their first tenth lie; whether that cuts."""
    everything = [y for one in curves for _, y in one.points]
    later = []
    for one in curves:
        for points in (one.train, one.val):
            last = points[-1][0] if points else 0
            later += [y for x, y in points if x >= last / 10] or [y for _, y in points]
    low, high = min(everything), max(later)
    margin = (high - low) * 0.05 or abs(low) * 0.05 or 1.0
    return low - margin, high + margin, max(everything) > high + margin


def drawn(logs: Sequence[Log], names: Sequence[str] | None) -> list[Curve]:
    named = zip(logs, names or labels(logs), strict=True)
    return [one for log, label in named if (one := curve(log, label)).points]


# -- terminal -----------------------------------------------------------------------------------


def terminal(
    logs: Sequence[Log],
    width: int = 80,
    height: int = 16,
    names: Sequence[str] | None = None,
    style: Callable[[str, str], str] | None = None,
    ascii_only: bool = False,
) -> list[str]:
    """Lines of a plot of at most `width` columns; `style(text, colour)` colours, None does not.

    In colour, or alone, a log's curve is dots of braille; else it has a letter, small for training
    and capital for validation.
    """
    curves = drawn(logs, names)
    if not curves:
        return ["no loss to plot"]
    low, high, cut = loss_range(curves)
    ys = round_axis(low, high, max(2, height // 4))
    margin = max(len(ys.text(tick)) for tick in (*ys.ticks, low)) + 2
    columns = max(10, width - margin)
    xs = round_axis(0, max(x for one in curves for x, _ in one.points) or 1, max(1, columns // 16))
    letters = ascii_only or (style is None and len(curves) > 1)
    rows = (paint_letters if letters else paint_dots)(curves, xs, ys, columns, height)
    at = {round((1 - ys.place(tick)) * (height - 1)): ys.text(tick) for tick in ys.ticks}
    edge, bar = ("|", "-") if ascii_only else ("│", "─")
    lines = []
    for number, row in enumerate(rows):
        text = "".join(
            style(mark, TERMINAL[owner % len(TERMINAL)]) if style and mark != " " else mark
            for mark, owner in row
        )
        lines.append(f"{at.get(number, ''):>{margin - 2}} {edge}{text}".rstrip())
    lines.append(" " * (margin - 1) + ("+" if ascii_only else "└") + bar * columns)
    lines.append(x_labels(xs, margin, columns))
    for number, one in enumerate(curves):
        ends = []
        for mark, (kind, points) in zip(marks(one, number, letters), parts(one), strict=True):
            if points:
                shown = style(mark, TERMINAL[number % len(TERMINAL)]) if style else mark
                ends.append(f"{shown} {kind} {points[-1][1]:.4f}")
        lines.append(f"{shortened(one.label, width - 44)}  loss: {', '.join(ends)}")
    if cut:
        lines.append("the start lies above the plot")
    return lines


def parts(one: Curve) -> tuple:
    return (("train", one.train), ("validation", one.val))


def marks(one: Curve, number: int, letters: bool) -> tuple[str, str]:
    """What stands for training and validation."""
    if letters:
        letter = string.ascii_lowercase[number % 26]
        return letter, letter.upper()
    return LINE, MARK if one.train else LINE


def shortened(text: str, most: int) -> str:
    most = max(most, 16)
    return text if len(text) <= most else "…" + text[1 - most :]


def x_labels(xs: Axis, margin: int, columns: int) -> str:
    line = [" "] * (margin + columns + 12)
    free = 0
    for tick in xs.ticks:
        text = xs.text(tick)
        at = margin + round(xs.place(tick) * (columns - 1)) - len(text) // 2
        at = max(at, 0)
        if at >= free and at + len(text) <= margin + columns:
            line[at : at + len(text)] = text
            free = at + len(text) + 1
    return "".join(line).rstrip() + " step"


def apart(points: Sequence[tuple[float, float]], xs: Axis, columns: int):
    """Column and value of points, but of those that would touch, the last ones."""
    free = columns
    for x, y in reversed(points):
        column = round(xs.place(x) * (columns - 1))
        if column <= free:
            yield column, y
            free = column - APART


def marked(one: Curve, number: int, xs: Axis, ys: Axis, columns: int, height: int, letters: bool):
    """Row, column and mark of validation's points; none where they are the only line."""
    if one.train:
        for column, y in apart(one.val, xs, columns):
            if y <= ys.high:
                row = round((1 - ys.place(y)) * (height - 1))
                yield row, column, marks(one, number, letters)[1]


def along(points: Sequence[tuple[float, float]], xs: Axis, columns: int):
    """The mean of a curve in each column, straight in between."""
    bins: dict[int, list[float]] = {}
    for x, y in points:
        bins.setdefault(round(xs.place(x) * (columns - 1)), []).append(y)
    known = [(column, sum(bins[column]) / len(bins[column])) for column in sorted(bins)]
    for (a, ya), (b, yb) in itertools.pairwise(known):
        for column in range(a, b):
            yield column, ya + (yb - ya) * (column - a) / (b - a)
    if known:
        yield known[-1]


def paint_dots(curves, xs, ys, columns, height) -> list[list[tuple[str, int]]]:
    grid = [[0] * columns for _ in range(height)]
    owner = [[0] * columns for _ in range(height)]
    for number, one in enumerate(curves):
        before = None
        for column, y in along(one.train or one.val, xs, 2 * columns):
            row = round((1 - ys.place(y)) * (4 * height - 1))
            if y > ys.high:
                before = None
                continue
            reach = row if before is None else before + (before < row) - (before > row)
            for dot in range(min(row, reach), max(row, reach) + 1):
                grid[dot // 4][column // 2] |= DOTS[dot % 4][column % 2]
                owner[dot // 4][column // 2] = number
            before = row
    rows = [
        [(chr(0x2800 + dots) if dots else " ", who) for dots, who in zip(*line, strict=True)]
        for line in zip(grid, owner, strict=True)
    ]
    for number, one in enumerate(curves):
        for row, column, mark in marked(one, number, xs, ys, columns, height, letters=False):
            rows[row][column] = (mark, number)
    return rows


def paint_letters(curves, xs, ys, columns, height) -> list[list[tuple[str, int]]]:
    rows = [[(" ", 0)] * columns for _ in range(height)]
    for number, one in enumerate(curves):
        mark = marks(one, number, letters=True)[0 if one.train else 1]
        for column, y in along(one.train or one.val, xs, columns):
            if y <= ys.high:
                row = round((1 - ys.place(y)) * (height - 1))
                rows[row][column] = (mark, number)
    for number, one in enumerate(curves):
        for row, column, mark in marked(one, number, xs, ys, columns, height, letters=True):
            rows[row][column] = (mark, number)
    return rows


def colour_wanted(is_terminal: bool) -> bool:
    """Whether to colour: a terminal that is not told otherwise."""
    return is_terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


# -- svg ----------------------------------------------------------------------------------------

OURS = "<!-- written by pgolf-compose -->"  # told apart from a user's own drawing
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#555}.t{font-size:14px;font-weight:600}"
    ".g{stroke:#888;stroke-opacity:.25}.a{stroke:#888}path{fill:none;stroke-linejoin:round}"
    ".r{stroke-width:1;stroke-opacity:.4}.v{stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#bbb}}"
)


def svg(logs: Sequence[Log], title: str, names: Sequence[str] | None = None) -> str:
    """One SVG: validation as thick lines, training as thin ones, a legend."""
    curves = drawn(logs, names)
    legend = 18 * len(curves)
    height = HEIGHT + legend
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escaped(title)}">',
        OURS,
        f"<title>{escaped(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="t" x="{LEFT}" y="22">{escaped(shortened(title, 90))}</text>',
    ]
    if not curves:
        out += [f'<text x="{LEFT}" y="{TOP + 20}">no loss to plot</text>', "</svg>"]
        return "\n".join(out) + "\n"
    low, high, cut = loss_range(curves)
    ys = round_axis(low, high, 6)
    xs = round_axis(0, max(x for one in curves for x, _ in one.points) or 1, 8)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x_of(value: float) -> str:
        return f"{LEFT + xs.place(value) * (right - LEFT):.1f}"

    def y_of(value: float) -> str:
        return f"{bottom - ys.place(value) * (bottom - TOP):.1f}"

    for tick in ys.ticks:
        y = y_of(tick)
        out.append(f'<line class="g" x1="{LEFT}" x2="{right}" y1="{y}" y2="{y}"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y}" dy="4" text-anchor="end">{ys.text(tick)}</text>')
    for tick in xs.ticks:
        x = x_of(tick)
        anchor = "end" if xs.place(tick) > 0.97 else "middle"
        out.append(f'<line class="a" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}"/>')
        out.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="{anchor}">{xs.text(tick)}</text>')
    out.append(f'<line class="a" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    axes = "loss (nats per token) against step" + ("; the start lies above the plot" if cut else "")
    out.append(f'<text x="{LEFT}" y="{bottom + 36}">{axes}; thick: validation</text>')
    for number, one in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        for kind, points in (("r", one.train), ("v", one.val)):
            if path := path_of(thinned(points), x_of, y_of, ys.high):
                out.append(f'<path class="{kind}" stroke="{colour}" d="{path}"/>')
        y = HEIGHT + 18 * number
        ends = ", ".join(f"{kind} {points[-1][1]:.4f}" for kind, points in parts(one) if points)
        out.append(f'<rect x="{LEFT}" y="{y - 9}" width="14" height="4" fill="{colour}"/>')
        label = escaped(f"{shortened(one.label, 70)}: {ends}")
        out.append(f'<text x="{LEFT + 22}" y="{y - 3}">{label}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def escaped(text: str) -> str:
    """For XML: also without the control characters that it has no place for."""
    kept = "".join(c if c.isprintable() else " " for c in text)
    return html.escape(kept.encode("utf-8", "replace").decode())


def thinned(points: Sequence[tuple[float, float]], most: int = 700) -> list[tuple[float, float]]:
    """At most so many points: means over stretches of equal number, the last point kept."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(len(points) / most)
    groups = [points[n : n + size] for n in range(0, len(points), size)]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ] + [points[-1]]


def path_of(points, x_of, y_of, high: float) -> str:
    """`M` and `L` of a curve; what lies above the plot is left out."""
    steps, pen = [], "M"
    for x, y in points:
        if y > high:
            pen = "M"
            continue
        steps.append(f"{pen}{x_of(x)} {y_of(y)}")
        pen = "L"
    if len(steps) == 1:
        steps.append("h0.1")
    return "".join(steps)
