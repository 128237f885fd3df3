"""`pack` on scripts of others, against python-minifier's best + raw LZMA2 + base85.

    python tests/benchmarks/foreign.py [--pack PACKER] [--freeze] [FILE ...]

Without FILES: two scripts in the manner of public records, readable scripts of recipes (as text:
nothing here is told whose they are), and scripts that come with Python, torch and numpy.
"""

import argparse
import ast
import base64
import itertools
import lzma
import math
import os
import sys
import sysconfig
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import python_minifier

import pgolf_compose
from pgolf_compose.foreign import pack_script, read_script
from pgolf_compose.passes.freeze import KEPT, names_read
from pgolf_compose.plugins import load_library

STANDARD = [
    "base64",
    "cProfile",
    "calendar",
    "compileall",
    "dis",
    "doctest",
    "filecmp",
    "ftplib",
    "gzip",
    "inspect",
    "mimetypes",
    "pdb",
    "pickletools",
    "platform",
    "profile",
    "pyclbr",
    "pydoc",
    "quopri",
    "smtplib",
    "tabnanny",
    "tarfile",
    "timeit",
    "tokenize",
    "trace",
    "webbrowser",
    "zipapp",
    "zipfile",
]
SITE = [
    "torch/distributed/run.py",
    "torch/utils/collect_env.py",
    "torch/utils/bottleneck/__main__.py",
    "torch/utils/_freeze.py",
    "torch/distributed/launch.py",
    "torch/utils/hipify/hipify_python.py",
    "numpy/f2py/crackfortran.py",
    "numpy/f2py/f2py2e.py",
]
RECIPES = ["baseline", "pr1394", "pr1539", "2026-03-17_LoRA_TTT"]
OURS = Path(__file__).parents[1] / "scripts"
RECORDS = ["record_like.py", "late_record.py"]  # in the manner of public records
OPTIONS = {
    "remove_annotations": python_minifier.RemoveAnnotationsOptions(True, True, True, False),
    "remove_literal_statements": True,
    "remove_asserts": True,
    "remove_debug": True,
    "preserve_shebang": False,
}


def sources() -> list[tuple[str, str]]:
    """Names and texts of the scripts that are there."""
    lib, site = Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))
    sites = [site, *map(Path, sys.path)]
    found = [(f"{one}.py", lib / f"{one}.py") for one in STANDARD]
    for one in SITE:
        found += [(one, path) for path in [folder / one for folder in sites] if path.is_file()][:1]
    texts = [(name, path.read_text(encoding="utf-8")) for name, path in found if path.is_file()]
    composed = [(one, pgolf_compose.compose(one, allow_noncompliant=True)) for one in RECIPES]
    records = [(one, (OURS / one).read_text(encoding="utf-8")) for one in RECORDS]
    return records + [(one, made.readable.decode()) for one, made in composed] + texts


def lzma_base85(text: str) -> int:
    """Bytes of the file that public records have."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
    data = lzma.compress(text.encode(), lzma.FORMAT_RAW, filters=filters)
    loader = (
        "import lzma as L,base64 as B\nexec(L.decompress(B.b85decode(''),format=L.FORMAT_RAW,"
        "filters=[{'id':L.FILTER_LZMA2}]))"
    )
    return len(loader) + len(base64.b85encode(data))


def minified_best(text: str) -> int:
    sizes = []
    for rename_globals, hoist in itertools.product((True, False), repeat=2):
        options = {"rename_globals": rename_globals, "hoist_literals": hoist}
        sizes.append(lzma_base85(python_minifier.minify(text, **OPTIONS, **options)))
    return min(sizes)


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", default="instant")
    parser.add_argument("--freeze", action="store_true", help="only scripts that read values")
    parser.add_argument("files", nargs="*")
    asked = parser.parse_args()
    packer = load_library().packers[asked.pack]
    scripts = [(one, read_script(Path(one))) for one in asked.files] or sources()
    print("| script | bytes | minified + LZMA2 + base85 | pack | share | seconds |")
    print("|---|--:|--:|--:|--:|--:|")
    shares, told, pool = [], [], ProcessPoolExecutor(1)
    for name, text in scripts:
        if asked.freeze and not set(names_read(ast.parse(text))) - KEPT:
            continue
        # in a process of its own: it leaves its trees tied to nodes that all trees share
        base, start = pool.submit(minified_best, text), time.process_time()
        made = pack_script(Path(name), text, packer, {} if asked.freeze else None)
        seconds, base = time.process_time() - start, base.result()
        shares.append(len(made.data) / base)
        size = len(text.encode())
        print(
            f"| {name} | {size:,} | {base:,} | {len(made.data):,} | {shares[-1]:.3f} "
            f"| {seconds:.1f} |",
            flush=True,
        )
        told += made.notes
    print("", *(f"- {note}" for note in told), sep="\n")
    print(f"\ngeometric mean of {len(shares)}: {geometric_mean(shares):.3f}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
