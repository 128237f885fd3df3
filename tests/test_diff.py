import json
import lzma
import re
import shutil
from pathlib import Path

import pytest

from pgolf_compose.packers.instant import instant
from pgolf_compose.unpack import unpack

XSA = "extends: baseline\ntechniques: {metrics: }\nsettings: {matrix_lr: 0.02}\n"

PLAIN = """import os

rate = float(os.environ.get("MATRIX_LR", 0.04))


def scaled(x):
    return x * rate
"""


def packed(text: str) -> str:
    """As many public records were."""
    data = lzma.compress(text.encode(), lzma.FORMAT_ALONE)
    return f"import lzma\nexec(lzma.decompress({data!r}).decode())\n"


def blocks(output: str) -> dict[str, list[str]]:
    """Each layer by the first word of its first line."""
    found = [block.split("\n") for block in output.strip("\n").split("\n\n")]
    return {re.match(r"\w+", lines[0])[0]: lines for lines in found}


def test_two_recipes_differ_by_technique_value_function_and_text(tree, cli):
    tree({"x.yaml": XSA})
    result = cli("diff", "baseline", "x.yaml", "--text")
    assert result.exit_code == 1
    found = blocks(result.stdout)
    assert found["A"] == ["A  baseline: recipe baseline", "B  x.yaml: recipe x"]
    assert found["techniques"] == ["techniques", "  + metrics"]
    assert found["values"] == ["values", "  matrix_lr 0.04 -> 0.02"]
    assert any(line.startswith("  changed  train ") for line in found["functions"])
    head, *text = found["text"]
    assert re.fullmatch(r"text: \d+ lines? only in A, \d+ lines? only in B", head)
    assert (
        '        -    matrix_lr = env("MATRIX_LR", 0.04, least=0)  # of matrices, under Muon'
        in text
    )
    assert (
        '        +    matrix_lr = env("MATRIX_LR", 0.02, least=0)  # of matrices, under Muon'
        in text
    )
    assert any(line.startswith("metrics +") for line in text)


def test_a_long_text_is_counted_and_shown_when_asked_for(tree, cli):
    tree({"x.yaml": XSA})
    last = cli("diff", "baseline", "x.yaml").stdout.splitlines()[-1]
    assert re.fullmatch(
        r"text: \d+ lines? only in A, \d+ lines? only in B; --text shows them", last
    )


def test_a_recipe_and_itself_do_not_differ(tree, cli):
    tree({"x.yaml": "extends: baseline\nname: other\n"})
    for other in ("baseline", "x.yaml"):
        result = cli("diff", "baseline", other)
        assert result.exit_code == 0 and result.stdout.splitlines()[-1] == "the same program"


@pytest.fixture
def composed(tree, cli) -> Path:
    """What becomes of the baseline, made once for all tests."""
    cli("baseline", "-o", "here")
    return tree({}) / "here"


def soften(script: Path) -> None:
    """Another softcap in a small file, as a composition with `--set logit_softcap=20` has it."""
    text = unpack(script.read_bytes(), script).source
    assert text.count("3e1") == 2
    script.write_bytes(instant.pack(text.replace("3e1", "2e1").strip("\n")))


@pytest.mark.parametrize("what", ["train_gpt_human.py", "train_gpt.py", ""])
def test_a_recipe_and_what_it_was_composed_to_do_not_differ(composed, cli, what):
    result = cli("diff", "baseline", f"here/{what}")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "the same program" in result.stdout.splitlines()


def test_a_small_script_is_compared_with_a_recipe_by_what_is_inside(composed, cli, refuses):
    told = refuses("diff", "baseline", "here/train_gpt.py", "--with", "xsa")
    assert "is no recipe" in told
    soften(composed / "train_gpt.py")
    result = cli("diff", "here/train_gpt.py", "baseline")
    found = blocks(result.stdout)
    assert result.exit_code == 1
    assert found["A"][0].startswith("A  here/train_gpt.py: small script of baseline, 6,")
    changed = [line for line in found["functions"] if line.startswith("  changed")]
    assert len(changed) == 1 and re.search(r"-> GPT.head +-1 \+1 ", changed[0])


def test_a_small_script_that_is_not_what_lies_beside_it_is_told(composed, cli):
    shutil.copytree(composed, "other")
    soften(composed / "train_gpt.py")
    result = cli("diff", "baseline", "here")
    assert result.exit_code == 1
    assert "note: the readable scripts are one program, the small ones are not" in result.stdout
    human = composed.with_name("other") / "train_gpt_human.py"
    human.write_text(human.read_text().replace('"MATRIX_LR", 0.04', '"MATRIX_LR", 0.05'))
    soften(human.with_name("train_gpt.py"))
    result = cli("diff", "here", "other")
    assert re.search(r"MATRIX_LR +0.04 -> 0.05", result.stdout)
    assert "note: the small scripts, which count, are one program" in result.stdout


def test_a_packed_script_is_what_is_inside(tree, cli):
    tree({"a.py": PLAIN, "b.py": packed(PLAIN), "c.py": packed(PLAIN.replace("0.04", "0.022"))})
    result = cli("diff", "a.py", "b.py")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "the same program")
    result = cli("diff", "b.py", "c.py")
    assert result.exit_code == 1
    assert blocks(result.stdout)["values"] == ["values", "  MATRIX_LR  0.04 -> 0.022"]


def test_what_pack_made_of_a_script_is_the_same_program(tree, cli):
    tree({"a.py": PLAIN + "\n\nprint(scaled(2), 'of several words', 'of several words' * 3)\n"})
    assert cli("pack", "a.py", "-o", "b.py").exit_code == 0
    assert cli("diff", "a.py", "b.py").exit_code == 0


def test_scripts_are_compared_in_layers(tree, cli):
    more = PLAIN.replace("0.04", '"0.022"').replace("x * rate", "rate * x") + "\nprint(scaled(1))\n"
    tree({"a.py": PLAIN, "b.py": more})
    found = json.loads(cli("diff", "a.py", "b.py", "--json").stdout)
    assert found["same"] is False and found["techniques"] is None
    assert found["values"] == [{"name": "MATRIX_LR", "a": "0.04", "b": "0.022"}]
    changes = [(one["change"], one["a"], one["added"]) for one in found["functions"]["changes"]]
    assert changes == [("changed", "(module)", 1), ("changed", "scaled", 1)]
    text = "".join(f"{one['sign']}{one['text']}\n" for one in found["text"])
    assert (
        text.startswith("@@@ -1,7 +1,9 @@\n import os\n \n-rate = float(") and "+\n+print" in text
    )


def test_formatting_comments_and_names_alone_are_no_difference(tree, cli):
    other = PLAIN.replace("(x)", "(y)").replace("x * ", "y   * ").replace("\n\n\n", "\n# why\n")
    tree({"a.py": PLAIN, "b.py": other})
    result = cli("diff", "a.py", "b.py")
    assert result.exit_code == 0
    assert "the same program; only formatting, comments or names differ" in result.stdout
    assert "-    return x * rate" in result.stdout


def test_a_submission_s_folder_stands_for_its_script(tree, cli):
    tree({"one": {"train_gpt.py": PLAIN, "other.py": ""}, "two": {"script.py": PLAIN}})
    assert cli("diff", "one", "two").exit_code == 0
    (tree({}) / "two" / "script.py").write_text(PLAIN.replace("0.04", "0.05"))
    assert "MATRIX_LR  0.04 -> 0.05" in cli("diff", "one", "two").stdout


def folder(bpb: float, *seeds: tuple[int, float]) -> dict:
    """A submission's folder without its script."""
    stated = {str(seed): {"val_bpb": score} for seed, score in seeds}
    about = {"name": "x", "val_bpb": bpb, "bytes_total": 15_900_000, "seed_results": stated}
    return {"submission.json": json.dumps(about)}


def test_two_folders_are_compared_by_their_results(tree, cli, refuses):
    one, other = folder(1.08, (1, 1.07), (2, 1.09)), folder(1.075, (1, 1.07), (3, 1.08))
    tree({"one": one, "other": other, "third": {"train_gpt.py": PLAIN}})
    result = cli("diff", "one", "other")
    assert result.exit_code == 1
    assert [line.split() for line in blocks(result.stdout)["results"]] == [
        ["results", "A", "B", "B", "-", "A"],
        ["val_bpb", "1.08", "1.075", "-0.005"],
        ["bytes_total", "15900000", "15900000"],
        ["val_bpb,", "seed", "1", "1.07", "1.07"],
        ["val_bpb,", "seed", "2", "1.09", "-"],
        ["val_bpb,", "seed", "3", "-", "1.08"],
    ]
    assert "no programs compared: a folder holds none" in result.stdout
    assert cli("diff", "one", "one").exit_code == 0
    assert refuses("diff", "one", "third").startswith("one: holds no script")


def test_scripts_and_results_of_folders_are_compared_at_once(tree, cli):
    one = folder(1.08) | {"train_gpt.py": PLAIN}
    other = folder(1.07) | {"train_gpt.py": PLAIN}
    broken = {"submission.json": "{", "train_gpt.py": PLAIN}
    tree({"one": one, "other": other, "broken": broken})
    found = json.loads(cli("diff", "one", "other", "--json").stdout)
    assert not found["same"] and not found["functions"]["changes"] and not found["values"]
    assert found["results"][0] == {"name": "val_bpb", "a": 1.08, "b": 1.07}
    result = cli("diff", "one", "broken")
    assert result.exit_code == 0 and "note: broken/submission.json:1" in result.stdout


def test_what_a_terminal_would_obey_is_not_printed(tree, cli):
    tree({"a.py": "x = 1\n", "b.py": "x = '\x1b[31m'\n"})
    assert "\x1b" not in cli("diff", "a.py", "b.py").stdout


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "x.py: there is no such file"),
        (b"", "x.py: has no statements: there is nothing to compare"),
        (b"x = 1\ndef f(:\n", "x.py:2: is not Python: "),
        (b"\xff\xfe\x00\x01", "x.py: is no text that Python could read"),
        (b"x = '\0'\n", "x.py: is no script: it holds zero bytes"),
        (b"x = 1\n" * 200_000, "x.py: has 1,200,000 bytes; at most 500,000 are compared"),
        (b"x = " + b"-" * 3000 + b"1\n", "x.py: is nested "),
        (b"x = " + b"+".join([b"a"] * 900) + b"\n", "x.py: is nested "),
        ({}, "x.py: holds no script: no train_gpt.py, nor another .py"),
        (
            {"a.py": "x=1", "b.py": "x=1"},
            "x.py: holds several scripts and no train_gpt.py: a.py, b.py; name one",
        ),
    ],
)
def test_what_is_no_script_is_told_in_a_line(tree, refuses, content, told):
    tree({"fine.py": "x = 1\n"} | ({} if content is None else {"x.py": content}))
    for pair in (("x.py", "fine.py"), ("fine.py", "x.py")):
        [line] = refuses("diff", *pair).splitlines()
        assert line.startswith(told)


def test_a_recipe_that_does_not_compose_is_told(tree, refuses):
    tree({"y.yaml": "techniques: {nosuch: }\n"})
    assert refuses("diff", "y.yaml", "baseline").startswith("y.yaml:1:14: nosuch is no technique.")
    assert refuses("diff", "baseline", "nosuch").startswith("there is no recipe nosuch.")
