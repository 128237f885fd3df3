import pytest

from pgolf_compose import ComposeError
from pgolf_compose.origin import File, Origin
from pgolf_compose.script import Script, drop_unused, tidy


def script(code, tmp_path):
    """A script whose line n was written on line n of a file."""
    path = tmp_path / "source.py"
    path.write_text(code)
    file = File(path, "source.py")
    count = code.count("\n")
    return Script("test", code, tuple(Origin("host", file, n + 1) for n in range(count)))


def lines_of(one):
    return [origin.line for origin in one.origins]


def test_formatting_keeps_each_line_s_origin(tmp_path):
    one = tidy(script("x = {  'a':1,\n 'b':2 }\n\n\n\n\ny = (x\n  )\nif x: pass\n", tmp_path))
    assert one.code == 'x = {"a": 1, "b": 2}\n\n\ny = x\nif x:\n    pass\n'
    assert lines_of(one) == [1, 1, 1, 7, 9, 9]


def test_formatting_follows_a_comment_that_black_moves(tmp_path):
    one = tidy(script("x = (  # why\n    1\n)\ny = 2\n", tmp_path))
    assert one.code == "x = 1  # why\ny = 2\n"
    assert lines_of(one) == [1, 4]


def test_unused_and_repeated_imports_go(tmp_path):
    before = "import os\nimport sys\nfrom a import b, c\nimport sys\n\nprint(sys, c)\n"
    assert drop_unused(script(before, tmp_path)).code == (
        "import sys\nfrom a import c\n\nprint(sys, c)\n"
    )


def test_one_name_imported_from_two_places_is_refused(tmp_path):
    with pytest.raises(ComposeError, match=r"source\.py:2: x is imported twice"):
        drop_unused(script("from a import x\nfrom b import x\nprint(x)\n", tmp_path))


def test_hyperparameters_that_nothing_reads_go_and_so_do_those_only_they_read(tmp_path):
    before = """
class Hyperparameters:
    a = env("A", 1)  # read below
    b = env("B", "x")  # read by c
    c = env(
        "C", f"{b}/y"
    )
    d = env("D", True, settled=True)


print(Hyperparameters.a)
"""
    after = """
class Hyperparameters:
    a = env("A", 1)  # read below
    d = env("D", True, settled=True)


print(Hyperparameters.a)
"""
    one = drop_unused(script(before, tmp_path))
    assert one.code == after
    assert lines_of(one) == [1, 2, 3, 8, 9, 10, 11]
