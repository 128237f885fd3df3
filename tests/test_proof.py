"""The small file does what its source does, bit for bit: composed scripts, and modules of Python."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ANY, SMALL, as_module, hyperparameters, run_script
from sets import covering_array

import pgolf_compose
from pgolf_compose.passes import shrink_names
from pgolf_compose.passes.docstrings import docstrings
from pgolf_compose.passes.names import rename
from pgolf_compose.passes.printing import print_tree, tidy
from pgolf_compose.plugins import load_library
from pgolf_compose.recipe import bundled_recipes

ROWS = [("baseline", row) for row in covering_array(1)]  # every technique is in one of them
RECIPE = "2026-04-09_SP8192_3LayerRecur_ParResid_QK525_LegalTTT"
CI = [*ROWS[:2], (RECIPE, [])]
REST = [*ROWS[2:], *((name, []) for name in bundled_recipes() if name != RECIPE)]


@pytest.mark.parametrize(
    "recipe, added",
    [*CI, *(pytest.param(*one, marks=pytest.mark.exhaustive) for one in REST)],
    ids=lambda one: one if isinstance(one, str) else str(len(one)),
)
def test_the_small_file_computes_bit_for_bit_what_the_readable_one_does(
    recipe, added, short, tmp_path
):
    build = pgolf_compose.compose(recipe, added=[*added, "metrics"], allow_noncompliant=True)
    env = {**ANY, "TTT_CHUNK_SIZE": "32", "ITERATIONS": "2", "DATA_DIR": str(short)}
    env["DATA_PATH"] = str(next(short.glob("datasets/*")))
    if "init_from_checkpoint" in added:
        env["INIT_CHECKPOINT"] = str(checkpoint(build, tmp_path / "init.npz"))
    small = shrink_names(build.simplified({**SMALL, **env}))[1]
    forms = {"readable": build.readable, "minified": small, "packed": build.pack(small)}
    if added:
        del forms["minified"]  # it takes a while to run, and packing changes nothing of a text
    found = {}
    for form, script in forms.items():
        ran = run_script(script, tmp_path / form, **env)
        assert ran.exit_code == 0, (form, ran.stderr)
        found[form] = told(ran), files(tmp_path / form)
    assert len(found["readable"][0]) > 5 and len(found["readable"][1]) >= 2
    for form in forms:
        assert found[form] == found["readable"], form


def told(ran) -> list:
    """Losses, rates, scores and tensors, to the last bit; not times, memory and size of code."""
    other = re.compile(r"_ms$|^memory_|^bytes_(code|total)$")
    return [{k: v for k, v in one.items() if not other.search(k)} for one in ran.events]


def files(folder) -> dict[str, bytes]:
    """What was written of the model, before and after quantising."""
    return {path.name: path.read_bytes() for path in folder.glob("final_model*")}


def checkpoint(build, path):
    """Weights to begin with: a model's own at the size of these tests."""
    module = as_module(build)
    small = {"num_layers": 3, "model_dim": 32, "num_heads": 4, "num_kv_heads": 2}
    known = {**small, "vocab_size": 512, **{name.lower(): value for name, value in ANY.items()}}
    known = {k: kind(module, k)(v) for k, v in known.items() if hasattr(module.Hyperparameters, k)}
    model = module.GPT(hyperparameters(module, **known))
    np.savez(path, **{name: p.detach().numpy() for name, p in model.named_parameters()})
    return path


def kind(module, name):
    """Reads a value as the hyperparameter's own is: a list of layers where it is a tuple."""
    own = type(getattr(module.Hyperparameters, name))
    return {bool: lambda v: v not in ("0", False), tuple: lambda v: (int(v),)}.get(own, own)


# modules of one file whose own tests are quick and ask neither for docstrings and comments nor for
# a module without the loader's names (test__all__)
IN_CI = ["bisect", "colorsys", "textwrap"]
MODULES = [
    *IN_CI,
    *("copy", "fnmatch", "fractions", "getopt", "graphlib", "ipaddress", "netrc"),
    *("pprint", "quopri", "random", "reprlib", "sched", "secrets", "shlex", "timeit", "uuid"),
]


@pytest.mark.parametrize(
    "name", [pytest.param(m, marks=[pytest.mark.exhaustive] * (m not in IN_CI)) for m in MODULES]
)
def test_a_module_of_python_passes_its_own_tests_when_it_is_small(name, tmp_path):
    if importlib.util.find_spec(f"test.test_{name}") is None:
        pytest.skip(f"this Python has no test.test_{name}")
    source = Path(importlib.util.find_spec(name).origin).read_text("utf-8")
    small = smaller(source)
    assert len(small) < 0.9 * len(source)
    wanted = outcome(name, "")
    for form, text in {
        "minified": small.encode(),
        "packed": load_library().packers["instant"].pack(small),
    }.items():
        path = tmp_path / form / f"{name}.py"
        path.parent.mkdir()
        path.write_bytes(text)
        assert outcome(name, tmp_path / form) == (str(path), *wanted[1:]), form


def smaller(source: str) -> str:
    """A module after the passes about names, but for those that others may ask it for.

    They call its functions, with keywords: a line that never runs says so.
    """
    tree = ast.parse(source)
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    call = f"globals()[0]({', '.join(f'{name}=0' for name in sorted(keywords))})"
    tree = ast.parse(f"{source}\nlambda: [{', '.join([*functions, call])}]")
    return print_tree(rename(tidy(docstrings(tree)), attributes=False))


RUN = """
import importlib, sys, unittest
sys.path[:0] = sys.argv[2:]
name = sys.argv[1]
sys.modules.pop(name, None)
module = importlib.import_module(name)
suite = unittest.defaultTestLoader.loadTestsFromName(f"test.test_{name}")
ran = unittest.TextTestRunner(verbosity=0).run(suite)
print(module.__file__, ran.testsRun, ran.wasSuccessful(), sep="\\n")
"""


def outcome(name, folder) -> tuple[str, str, str]:
    """Which file was tested, how many tests ran, and whether all passed."""
    command = [sys.executable, "-c", RUN, name, *([str(folder)] if folder else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    told = done.stdout.splitlines()[-3:]
    assert len(told) == 3 and told[2] == "True" and int(told[1]) > 3, (told, done.stderr[-3000:])
    return tuple(told)
