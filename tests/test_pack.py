import ast
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgolf_compose.build import compose
from pgolf_compose.errors import ComposeError
from pgolf_compose.launch import follow
from pgolf_compose.origin import File, Origin
from pgolf_compose.pack import MARK, is_ours
from pgolf_compose.packers import mixing
from pgolf_compose.packers.digits import LOOPS, as_text, digits
from pgolf_compose.packers.instant import compressed, instant, loaders
from pgolf_compose.unpack import unpack

# longer than the loader, so that it pays
FILLER = "".join(f"def filler_{n}(a,b):\n return a*{n * n}+b\n" for n in range(99))
SEES = """
import sys
print("é ☃", __name__, sys.argv[0] == __file__, sys.argv[1:], __doc__)
"""
PICKLES = """
import pickle
class Point:
    def __init__(self, x): self.x = x
print(pickle.loads(pickle.dumps(Point(3))).x, Point.__module__)
"""
FUTURE = """
from __future__ import annotations
def f(a: nowhere): return a
print(f(2), f.__annotations__)
"""
READS = """
import inspect
def kernel(x):
    return x + 1  # one more
print(inspect.getsource(kernel))
"""
ESCAPES = r"""
print('\\ \x00 \r'.encode(), r'"\d', "\N{BULLET}", "\"\"\"")
"""


def run(path, *args):
    return subprocess.run(
        [sys.executable, "-W", "error", path, *args], capture_output=True, encoding="utf-8"
    )


def behaves_alike(pack, source, folder):
    (folder / "plain.py").write_text(source, encoding="utf-8")
    (folder / "small.py").write_bytes(pack(source))
    plain, small = (run(folder / name, "a", "b") for name in ("plain.py", "small.py"))
    assert plain.stderr == small.stderr == ""
    assert plain.stdout == small.stdout != ""


@pytest.mark.parametrize(
    "source",
    [SEES, f'"""Told."""{SEES}', PICKLES, FUTURE, READS, ESCAPES, f"# -*- coding: utf-8 -*-{SEES}"],
    ids=["sees", "docstring", "pickles", "future", "reads", "escapes", "cookie"],
)
def test_a_packed_file_does_what_its_source_does(source, tmp_path):
    behaves_alike(instant.pack, source + FILLER, tmp_path)
    assert len(instant.pack(source + FILLER)) < len(source + FILLER) / 3


def test_every_candidate_of_the_instant_packer_runs(tmp_path):
    source = f"import brotli{SEES}{FILLER}"
    seen = set()
    for module, call, data in compressed(source):
        if (module, call) not in seen:
            seen.add((module, call))
            for text in loaders(module, call, data, lines=False):
                behaves_alike(lambda _, text=text: text, source, tmp_path)
    assert {module for module, _ in seen} == {"lzma", "brotli"}


def test_a_short_script_stays_as_it_is():
    assert instant.pack("print(1)\n") == f"{MARK}\nprint(1)".encode()


def test_brotli_is_asked_for_only_by_a_script_that_imports_it():
    assert b"import brotli" in instant.pack(f"import brotli\n{FILLER}")
    assert b"brotli" not in instant.pack(f"brotli=1\n{FILLER}")


def test_a_packed_file_is_utf_8_and_carries_our_mark(baseline):
    text = baseline.packed.decode("utf-8")
    assert is_ours(text) and is_ours(baseline.script.code)
    assert not is_ours("import torch\n")
    ast.parse(text)


@given(st.integers(0), st.sampled_from([126, 139]))
def test_digits_write_every_number(number, base):
    found = digits(number, base)
    assert all(0 < digit <= base for digit in found)
    again = 0
    for digit in found:
        again = again * base + digit
    assert again == number


@given(st.binary(max_size=60), st.sampled_from(sorted(LOOPS)))
@settings(max_examples=50)
def test_the_loop_reads_what_was_written(data, base):
    text = as_text(int.from_bytes(data), base)
    if text is not None:
        before, after = LOOPS[base]
        found = {"x": 0}
        exec(before + text + after, found)
        assert found["x"] == int.from_bytes(data)


def test_packing_the_baseline_shrinks_it_to_less_than_a_quarter(baseline):
    assert len(baseline.packed) < len(baseline.readable) / 4.2


def test_an_unknown_packer_is_told_with_the_nearest(refuses):
    told = refuses("baseline", "--check", "--pack", "instnat")
    assert told == "instnat is no packer. Did you mean instant?\n"


SHORT = "import sys\nprint(__name__, [n*2 for n in range(9)], sys.argv[0]==__file__)\n"


def small(source, lines=False):
    """A file of the smallest packer, however short the source."""
    return mixing.written(mixing.spelled(source.strip("\n")), "1e4", lines).encode()


@pytest.mark.parametrize("source", [SHORT, SHORT + "print('é ☃')\n"], ids=["ascii", "utf-8"])
def test_the_smallest_packer_does_what_its_source_does(source, tmp_path):
    behaves_alike(small, source, tmp_path)


def test_kernels_find_their_source_in_the_smallest_file(tmp_path):
    behaves_alike(lambda source: small(source, lines=True), READS, tmp_path)


@given(st.text(st.characters(codec="utf-8"), max_size=12))
@settings(max_examples=8, deadline=None)
def test_the_mixer_gives_any_text_back(source):
    packed = mixing.written(mixing.spelled(source), "1e4", lines=False)
    assert mixing.decode(mixing.read(packed)) == source


def test_a_result_too_close_to_an_integer_is_refused():
    assert mixing.cut(3.5) == 3 and mixing.cut(-2.25) == -2
    for value in (3 + 1e-12, 3 - 1e-12, -7.0):
        with pytest.raises(mixing.Inexact):
            mixing.cut(value)


def test_an_inexact_scale_gives_way_to_another(monkeypatch):
    def written(text, scale, lines):
        if scale == "1e4":
            raise mixing.Inexact
        return usual(text, scale, lines)

    usual = mixing.written
    monkeypatch.setattr(mixing, "written", written)
    assert mixing.smallest.pack("print(1)") == f"{MARK}\nprint(1)".encode()
    monkeypatch.setattr(mixing, "SCALES", ("1e4",))
    with pytest.raises(ComposeError, match="use --pack instant"):
        mixing.smallest.pack("print(1)")


@pytest.mark.exhaustive
def test_the_smallest_packer_on_a_whole_recipe(cli, tree):
    folder = tree({})
    told = cli("baseline", "--pack", "smallest", "-o", "small").stdout
    build = compose("baseline")
    packed = (folder / "small" / "train_gpt.py").read_bytes()
    assert unpack(packed).source == build.minified
    assert len(packed) < len(build.packed) * 0.93
    assert (
        f"about {len(build.minified) * 0.0003:.0f} s more at each start, by 0.3 ms a byte" in told
    )


def test_a_crash_of_a_small_file_is_told_by_its_readable_lines(tmp_path):
    source = f"{FILLER}def f():\n return 1//0\nf()"
    (tmp_path / "train.py").write_bytes(instant.pack(source))
    origins = [Origin("host", File(tmp_path / "host.py", "host.py"), n) for n in range(2000)]
    lines = [(5 * n, 5 * n + n % 2) for n in range(source.count("\n") + 1)]
    with pytest.raises(ComposeError, match="ZeroDivisionError") as error:
        list(follow(tmp_path / "train.py", tmp_path, {}, origins=origins, lines=lines))
    inner = 5 * (source[: source.index("1//0")].count("\n"))
    assert error.value.where.line == inner - 1
    traced = (tmp_path / "stderr.txt").read_text(encoding="utf-8")
    assert f'File "{tmp_path / "train_human.py"}", line {inner} to {inner + 1}, in f' in traced
    assert "<string>" not in traced


def test_each_line_of_the_small_text_knows_its_readable_lines(baseline):
    text, lines = baseline.minified.split("\n"), baseline.small_lines
    assert len(lines) == len(text)
    for words in ("no {split} shards", "is damaged", "PIECES"):
        found = [n for n, line in enumerate(baseline.script.lines, 1) if words in line]
        for n in found:
            assert any(first <= n <= last for first, last in lines)
    said = next(n for n, line in enumerate(text) if "is damaged" in line)
    readable = next(n for n, line in enumerate(baseline.script.lines, 1) if "is damaged" in line)
    first, last = lines[said]
    assert first <= readable <= last and last - first < 40
    assert json.loads(baseline.line_map)["small"] == [list(pair) for pair in lines]


# bytes of the whole file; the first two are composed in other tests anyway
GOALS = {"baseline": 6_900, "2026-04-09_SP8192": 9_600, "2026-04-05": 9_000, "pr1413": 9_700}


@pytest.mark.parametrize(
    "recipe",
    [pytest.param(n, marks=[pytest.mark.exhaustive] * (k > 1)) for k, n in enumerate(GOALS)],
)
def test_a_record_stays_as_small_as_it_is_meant_to_be(recipe):
    assert len(compose(recipe).packed) < GOALS[recipe]
