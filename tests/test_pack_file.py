"""`pack FILE`: any script, made small."""

import base64
import os
import subprocess
import sys
import zlib

import pytest

from pgolf_compose import files, foreign

SCRIPT = '''"""What it does."""

import os


class Settings:
    """Read from the environment."""

    learning_rate = float(os.environ.get("LEARNING_RATE", "0.5"))
    number_of_steps = int(os.environ.get("NUMBER_OF_STEPS", "3"))


def describe_settings(settings, heading):
    description = f"{heading}: {settings.learning_rate} for {settings.number_of_steps} steps"
    return description


def main():
    settings = Settings()
    for step in range(settings.number_of_steps):
        value_of_step = settings.learning_rate * step
        print(describe_settings(settings, heading=f"step {step}"), value_of_step)


main()
print("""The rate falls over the last third of training, and the average of the weights is
what ships. Each matrix is rounded column by column, so that later ones make up for the error of
those before; an embedding takes eight bits, everything else six. Whoever reads this far may note
that words like these are what is left to compress once names are letters and values are known.""")
'''
LAST = SCRIPT.count("\n") - 3


def run(path, **env):
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, env={**os.environ, **env}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_small_file_appears_beside_the_script(tree, cli):
    folder = tree({"a.py": SCRIPT})
    result = cli("pack", "a.py")
    assert result.exit_code == 0 and result.stderr == ""
    size = (folder / "a_packed.py").stat().st_size
    assert result.output.startswith(f"a_packed.py  {size} bytes, ")
    assert size < len(SCRIPT) and (folder / "a.py").read_text() == SCRIPT
    assert run("a_packed.py", LEARNING_RATE="2") == run("a.py", LEARNING_RATE="2")


def test_freeze_puts_values_in(tree, cli):
    tree({"a.py": SCRIPT})
    options = ["--freeze", "--set", "LEARNING_RATE=4", "--keep", "NUMBER_OF_STEPS", "-o", "b.py"]
    assert cli("pack", "a.py", *options).exit_code == 0
    expected = run("a.py", LEARNING_RATE="4", NUMBER_OF_STEPS="2")
    assert run("b.py", LEARNING_RATE="1", NUMBER_OF_STEPS="2") == expected


@pytest.mark.parametrize(
    "name, content, told",
    [
        ("a.py", "print('a'\n", "a.py:1: is not Python: '(' was never closed\n"),
        ("a.py", b"\xff\x00\x01", "a.py: is no text that Python could read\n"),
        ("a.py", "# nothing\n", "a.py: has no statements: there is nothing to pack\n"),
        (
            "a.py",
            "print(1)\n",
            "a.py: cannot be made smaller than its 9 bytes; nothing is written\n",
        ),
        (
            "a.py",
            f"import zlib,base64\nexec(zlib.decompress(base64.b85decode({base64.b85encode(zlib.compress(SCRIPT.encode()))!r})))\n",
            "a.py: is packed already; `pgolf-compose unpack` opens it\n",
        ),
        ("b.py", "", "a.py: cannot be read: No such file or directory\n"),
    ],
)
def test_bad_input_is_told_in_one_line(tree, refuses, name, content, told):
    folder = tree({name: content})
    assert refuses("pack", "a.py") == told
    assert [one.name for one in folder.iterdir()] == [name]


def test_what_packing_would_lengthen_is_only_shrunk(tree, cli):
    tree({"a.py": "some_long_name = 1\nprint(some_long_name, 'and so on')\n"})
    result = cli("pack", "a.py")
    assert result.stderr.startswith("a.py: instant makes so short a text no smaller: ")
    assert run("a_packed.py") == run("a.py")
    assert cli("pack", "a.py").exit_code == 0  # ours to replace


def test_a_huge_script_is_refused(tree, refuses, monkeypatch):
    monkeypatch.setattr(foreign, "LIMIT", 1000)
    tree({"a.py": "print(1)\n" * 200})
    told = "a.py: has 1,800 bytes; a script of more than 1,000 is not packed\n"
    assert refuses("pack", "a.py") == told


def test_deep_nesting_is_refused(tree, refuses):
    tree({"a.py": "x = " + "-" * 100_000 + "1\n"})
    assert refuses("pack", "a.py").count("\n") == 1


def test_our_own_small_file_is_not_packed_again(tree, cli, refuses):
    tree({"a.py": SCRIPT})
    cli("pack", "a.py", "-o", "b.py")
    told = refuses("pack", "b.py")
    assert told == "b.py: is packed already; `pgolf-compose unpack` opens it\n"


def test_the_script_itself_is_never_written_over(tree, refuses):
    folder = tree({"a.py": SCRIPT})
    told = "a.py: would be written over itself; name another file with -o\n"
    assert refuses("pack", "a.py", "-o", "a.py", "--force") == told
    assert (folder / "a.py").read_text() == SCRIPT


def test_names_that_the_script_does_not_read_are_refused(tree, refuses):
    tree({"a.py": SCRIPT})
    told = refuses("pack", "a.py", "--freeze", "--set", "LEARNING_RAET=1")
    assert told == "a.py: LEARNING_RAET is not read by this script. Did you mean LEARNING_RATE?\n"


@pytest.mark.parametrize(
    "options, told",
    [
        (["--set", "=1"], "Error: --set wants NAME=VALUE, not =1\n"),
        (
            ["--set", "LEARNING_RATE=1", "--keep", "LEARNING_RATE"],
            "Error: LEARNING_RATE cannot be both set and kept\n",
        ),
        (["--set", "LEARNING_RATE=high"], "--set LEARNING_RATE=high does not read as float\n"),
        (["--keep", "learning_rate"], "read by this script. Did you mean LEARNING_RATE?\n"),
        (
            ["--keep", "ZZZ"],
            "ZZZ is not read by this script. It reads LEARNING_RATE and NUMBER_OF_STEPS.\n",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(tree, cli, options, told):
    folder = tree({"a.py": SCRIPT})
    result = cli("pack", "a.py", "--freeze", *options)
    assert result.exit_code == 2 and result.stderr.endswith(told)
    assert [one.name for one in folder.iterdir()] == ["a.py"]


def test_what_asks_for_names_is_told_and_the_rest_is_renamed(tree, cli):
    tree({"a.py": f"{SCRIPT}\nprint(sorted(one for one in globals() if len(one) > 6))\n"})
    result = cli("pack", "a.py")
    assert result.stderr == (
        f"a.py:{LAST + 5}: globals() can ask for names: those within its reach are not renamed, "
        "and nothing is inlined or dropped\n"
    )
    assert run("a_packed.py") == run("a.py")


def test_a_pass_that_stops_is_left_out_and_told(tree, cli, monkeypatch):
    def broken(tree):
        node = tree.body[-1]
        raise KeyError(node.lineno)

    monkeypatch.setattr(foreign, "docstrings", broken)
    tree({"a.py": SCRIPT})
    result = cli("pack", "a.py")
    assert result.exit_code == 0
    assert result.stderr == f"a.py:{LAST}: docstrings stopped (KeyError: {LAST}): it is left out\n"
    assert run("a_packed.py") == run("a.py")


def test_a_pass_whose_result_does_not_compile_is_left_out(tree, cli, monkeypatch):
    import ast

    def broken(tree):
        tree.body.append(ast.Break())
        return tree

    monkeypatch.setattr(foreign, "tidy", broken)
    tree({"a.py": SCRIPT})
    result = cli("pack", "a.py")
    assert result.stderr == (
        "a.py: tidy stopped (SyntaxError: 'break' outside loop (a.py, line 5)): it is left out\n"
    ) or result.stderr.startswith("a.py: tidy stopped (SyntaxError: 'break' outside loop")
    assert run("a_packed.py") == run("a.py")


def test_an_interrupted_write_leaves_the_old_file(tree, cli, monkeypatch):
    folder = tree({"a.py": SCRIPT, "a_packed.py": "#pgolf-compose\nold"})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fdopen", full)
    assert cli("pack", "a.py").exit_code == 2
    assert (folder / "a_packed.py").read_text() == "#pgolf-compose\nold"
    assert sorted(os.listdir(folder)) == ["a.py", "a_packed.py"]
