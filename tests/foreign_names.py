"""Write pgolf_compose/passes/foreign.txt: the names of attributes that other packages' objects have.

Run it where torch, numpy and sentencepiece are installed: python tests/foreign_names.py
"""

import ast
import importlib
import pkgutil
import re
import sys
import textwrap
import warnings
from pathlib import Path
from types import ModuleType

TARGET = Path(__file__).parents[1] / "pgolf_compose" / "passes" / "foreign.txt"
# capitals and names of a letter or two are never taken for ours: they need not be told
NAME = re.compile(r"[a-z][a-z0-9_]{2,}\Z")
SKIPPED = set(["antigravity", "idlelib", "lib2to3", "test", "this", "turtle", "turtledemo"])
DEEPER = [
    "concurrent.futures",
    "email.message",
    "html.parser",
    "http.client",
    "http.server",
    "logging.handlers",
    "multiprocessing.pool",
    "multiprocessing.queues",
    "multiprocessing.synchronize",
    "unittest.mock",
    "urllib.parse",
    "urllib.request",
    "xml.etree.ElementTree",
]
WHOLE = [
    "math",
    "numpy",
    "numpy.linalg",
    "numpy.random",
    "os",
    "os.path",
    "random",
    "sentencepiece",
    "sys",
    "time",
    "torch",
    "torch.amp",
    "torch.autograd",
    "torch.cuda",
    "torch.distributed",
    "torch.library",
    "torch.nn",
    "torch.nn.functional",
    "torch.optim",
    "torch.utils.data",
]
PACKAGES = [
    "torch.amp",
    "torch.autograd",
    "torch.cuda",
    "torch.distributed",
    "torch.nn.modules",
    "torch.nn.parallel",
    "torch.nn.utils",
    "torch.optim",
    "torch.profiler",
    "torch.utils.data",
]
# Triton is not installed where this runs
TRITON = [
    "autotune",
    "cdiv",
    "configs",
    "constexpr",
    "grid",
    "jit",
    "load",
    "make_block_ptr",
    "num_stages",
    "num_warps",
    "program_id",
    "range_constexpr",
    "static_range",
    "store",
    "warmup",
]


def stored(path: str) -> set[str]:
    """Attributes that a module's source gives to objects, and fields of its classes."""
    found = set()
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def names_of(module: ModuleType) -> set[str]:
    """Attributes of a module's classes and of what they make."""
    path = getattr(module, "__file__", None) or ""
    found = stored(path) if path.endswith(".py") else set()
    for value in vars(module).values():
        if isinstance(value, type):
            found |= set(dir(value))
    return found


def load(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def main() -> None:
    standard = [one for one in sys.stdlib_module_names if not one.startswith("_")]
    names = {*standard, *DEEPER, *WHOLE, *PACKAGES} - SKIPPED
    for package in PACKAGES:
        paths = importlib.import_module(package).__path__
        names |= {f"{package}.{one.name}" for one in pkgutil.iter_modules(paths)}
    found = set(TRITON)
    for name in sorted(names):
        if (module := load(name)) is not None and "test" not in name.rpartition(".")[2]:
            found |= names_of(module)
            found |= set(dir(module)) if name in WHOLE else set()
    torch = importlib.import_module("torch")
    values = [torch.finfo(torch.float), torch.iinfo(torch.int), torch.Generator(), torch.empty(0)]
    found |= {name for one in values for name in dir(one)}
    words = " ".join(sorted(one for one in found if NAME.match(one)))
    TARGET.write_text(textwrap.fill(words, 100, break_on_hyphens=False) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
