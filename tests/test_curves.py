"""Curves: what is drawn lies within its frame, is the same each time, and escapes its names."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from test_logs import HEADER, TRAINING, WHOLE

from pgolf_compose.curves import labels, round_axis, svg, terminal
from pgolf_compose.logs import Log, Point


def log_of(losses, path: str = "train.log", every: int = 10) -> Log:
    """A log with the given training losses, and validation each third point."""
    points = tuple(
        Point(n * every, loss, loss + 0.1 if n % 3 == 0 else None, None, None)
        for n, loss in enumerate(losses)
    )
    return Log(Path(path), points=points)


FALLING = [7.0, 5.0, 4.0, 3.5, 3.2, 3.0, 2.9, 2.8, 2.75, 2.7, 2.65, 2.62, 2.6, 2.58, 2.56, 2.55]


def test_one_curve_in_a_terminal():
    assert terminal([log_of(FALLING)], width=40, height=6) == [
        "4 │     ⠢⡀",
        "  │      ⠑●",
        "  │       ⠈⠢⡀",
        "3 │         ⠘⠢⢄⡀ ●",
        "  │            ⠈⠉⠒⠒⠤⠤⣀⣀⣀ ●      ●      ●",
        "  │                     ⠉⠉⠉⠑⠒⠒⠒⠒⠒⠒⠢⠤⠤⠤⠤⠤",
        "  └─────────────────────────────────────",
        "   0                      100 step",
        "train.log  loss: ⣿ train 2.5500, ● validation 2.6500",
        "the start lies above the plot",
    ]


def test_several_curves_without_colour_have_letters_each_capital_for_validation():
    lines = terminal([log_of(FALLING, "a.log"), log_of([3.0] * 16, "b.log")], width=50, height=8)
    assert any("b" * 20 in line for line in lines)
    assert any(line.count("B") > 3 for line in lines)
    assert lines[-3:] == [
        "a.log  loss: a train 2.5500, A validation 2.6500",
        "b.log  loss: b train 3.0000, B validation 3.1000",
        "the start lies above the plot",
    ]


def test_colours_are_the_callers():
    lines = terminal([log_of(FALLING)], style=lambda text, colour: f"<{colour}>{text}")
    assert any("<blue>" in line for line in lines)


def test_ascii_is_only_ascii():
    lines = terminal([log_of(FALLING), log_of(FALLING, "x.log")], ascii_only=True)
    assert all(line.isascii() for line in lines)


@pytest.mark.parametrize("width", [20, 30, 80, 160])
def test_a_plot_keeps_to_its_width(width):
    plot = terminal([log_of(FALLING)], width=width, height=5)[:7]
    assert max(map(len, plot)) <= width


@pytest.mark.parametrize(
    "losses",
    [
        [2.0],
        [2.0, 2.0, 2.0],
        [float("nan"), 2.0, float("inf"), 3.0],
        [1e300, 2.0],
        [0.0, 0.0],
        [-1.0, -2.0],
        list(range(30_000)),
    ],
)
def test_any_numbers_are_drawn(losses):
    log = log_of(losses)
    assert terminal([log])
    ElementTree.fromstring(svg([log], "any"))


def test_nothing_to_draw_is_said():
    assert terminal([Log(Path("x.log"))]) == ["no loss to plot"]
    assert "no loss to plot" in svg([Log(Path("x.log"))], "none")
    assert terminal([]) == ["no loss to plot"]


@pytest.mark.parametrize(
    ("low", "high", "about", "ticks"),
    [
        (0, 13780, 8, ["0", "2,000", "4,000", "6,000", "8,000", "10,000", "12,000"]),
        (1.93, 2.41, 5, ["2.0", "2.1", "2.2", "2.3", "2.4"]),
        (2.001, 2.004, 3, ["2.001", "2.002", "2.003", "2.004"]),
        (2.0, 2.0, 2, ["1.8", "2.0", "2.2"]),
    ],
)
def test_ticks_are_round(low, high, about, ticks):
    axis = round_axis(low, high, about)
    assert [axis.text(tick) for tick in axis.ticks] == ticks


def test_an_svg_is_the_same_bytes_each_time_and_holds_each_curve():
    logs = [log_of(FALLING, "a/train.log"), log_of(FALLING[::-1], "b/train.log")]
    text = svg(logs, "two runs")
    assert text == svg(logs, "two runs")
    root = ElementTree.fromstring(text)
    names = [one.tag.partition("}")[2] for one in root.iter()]
    assert names.count("path") == 4
    assert "a/train.log: train 2.5500, validation 2.6500" in text
    assert "b/train.log" in text and "two runs" in text
    assert "prefers-color-scheme:dark" in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|<script|\d{4}-\d\d-\d\d", text)


def test_a_curve_stays_within_the_frame():
    text = svg([log_of([9.0, *FALLING])], "one")
    places = re.findall(r"[ML]([\d.]+) ([\d.]+)", text)
    assert len(places) > 15
    assert all(58 <= float(x) <= 744 and 44 <= float(y) <= 336 for x, y in places)


def test_names_are_escaped_and_shortened():
    text = svg([log_of(FALLING, '<b>&"\x1b\ud800' + "x" * 300 + ".log")], "<title> & more\0")
    root = ElementTree.fromstring(text)
    assert "&lt;title&gt; &amp; more" in text and "\x1b" not in text
    assert max(len(one.text or "") for one in root.iter() if one.tag.endswith("text")) < 130


def test_many_points_make_a_small_drawing():
    assert len(svg([log_of([2.0 + 1 / (n + 1) for n in range(20_000)])], "long")) < 40_000


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/train.log"], ["train.log"]),
        (["a/train.log", "b/train.log"], ["a/train.log", "b/train.log"]),
        (["a/1.log", "b/2.log"], ["1.log", "2.log"]),
        (["x/a/t.log", "y/a/t.log", "z.log"], ["x/a/t.log", "y/a/t.log", "z.log"]),
        (["t.log", "t.log"], ["t.log", "t.log"]),
        (["t.log", "a/t.log"], ["t.log", "a/t.log"]),
    ],
)
def test_labels_are_the_shortest_ends_that_differ(paths, names):
    assert labels([Log(Path(path)) for path in paths]) == names


def test_the_command_plots_and_writes(cli, tree, tmp_path):
    tree({"a.log": WHOLE, "b.log": HEADER + TRAINING})
    result = cli("results", "a.log", "b.log", "--curves", "--svg", "plots/loss.svg")
    assert (
        "└" in result.stdout and "a.log  loss: a train 2.1060, A validation 2.0606" in result.stdout
    )
    assert "\x1b[" not in result.stdout
    assert result.stderr == "wrote plots/loss.svg\n"
    first = (tmp_path / "plots/loss.svg").read_text()
    ElementTree.fromstring(first)
    cli("results", "a.log", "--svg", "plots/loss.svg")  # ours: written again
    assert (tmp_path / "plots/loss.svg").read_text() != first


def test_a_drawing_of_a_users_own_is_kept(refuses, tree, tmp_path):
    tree({"a.log": WHOLE, "mine.svg": "<svg/>", "folder": {}})
    assert "was not written by pgolf-compose" in refuses("results", "a.log", "--svg", "mine.svg")
    assert (tmp_path / "mine.svg").read_text() == "<svg/>"
    assert "is no file" in refuses("results", "a.log", "--svg", "folder")
