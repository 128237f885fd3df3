import ast
import subprocess
import sys

from pgolf_compose.pack import is_ours, pack_lzma
from pgolf_compose.passes import shrink_names


def run(path):
    return subprocess.run([sys.executable, path], capture_output=True, text=True)


def test_a_packed_file_does_what_its_source_does(tmp_path):
    source = 'import sys\nprint("é", __name__, sys.argv[0] == __file__)\n'
    (tmp_path / "plain.py").write_text(source, encoding="utf-8")
    (tmp_path / "small.py").write_bytes(pack_lzma(source))
    assert run(tmp_path / "small.py").stdout == run(tmp_path / "plain.py").stdout
    assert run(tmp_path / "small.py").stderr == ""


def test_a_packed_file_is_ascii_and_carries_our_mark(baseline):
    text = baseline.packed.decode("ascii")
    assert is_ours(text) and is_ours(baseline.script.code)
    assert not is_ours("import torch\n")


def test_packing_the_baseline_quarters_it(baseline):
    assert len(baseline.packed) < len(baseline.readable) / 3.9


def test_minify_drops_what_does_nothing():
    before = '''
def area(width: float, height: float) -> float:
    """Of a rectangle."""
    # both sides
    return width * height


print(f"{area(2, 3)} {'quoted'}")
'''
    after = """def e(e,a):return e*a
print(f"{e(2,3)} {'quoted'}")"""
    assert shrink_names(ast.parse(before)) == after


def test_f_strings_are_written_as_python_3_11_reads_them():
    # from 3.12 on the inner quotes could be the outer ones: the same text must come out
    text = """print(f"{d['a']}{x!r:>{w}}")"""
    assert shrink_names(ast.parse(text)) == text
