"""Sizes of both packers against stock tools, and what they take to pack and to start.

    python tests/benchmarks/packers.py [RECIPE ...]     # prints the tables of README.md

Starting is CPU time of a whole process less that of an empty one, the least of five (of one for
the slow packer): the packed file runs up to its `exec`.
"""

import lzma
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import brotli

import pgolf_compose
from pgolf_compose.packers.instant import instant
from pgolf_compose.packers.mixing import smallest

RECIPES = ("baseline", "2026-04-05", "2026-04-06_SP8192_QK5", "2026-04-09_SP8192_3Layer")


def stock(source: str) -> tuple[int, int]:
    """Bytes of the loaders that public records have: raw LZMA2, and brotli, in base85."""
    raw = lzma.compress(
        source.encode(), lzma.FORMAT_RAW, filters=[{"id": 33, "preset": 9 | 1 << 31}]
    )
    first = (
        "import lzma as L,base64 as B\nexec(L.decompress(B.b85decode(''),"
        'format=L.FORMAT_RAW,filters=[{"id":L.FILTER_LZMA2}]))'
    )
    second = "import brotli as B,base64 as b\nexec(B.decompress(b.b85decode('')))"
    squeezed = brotli.compress(source.encode(), quality=11)
    sizes = [(len(raw) * 5 + 3) // 4, (len(squeezed) * 5 + 3) // 4]
    return len(first) + sizes[0], len(second) + sizes[1]


def seconds(script: bytes, tries: int) -> float:
    """CPU seconds of a process, the least of some."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train_gpt.py")
        path.write_bytes(script)
        for _ in range(tries):
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            subprocess.run(
                [sys.executable, path], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
            found.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return min(found)


def main(recipes: list[str]) -> None:
    empty = seconds(b"", 5)
    print(
        "| recipe | text | LZMA2, b85 | brotli, b85 | instant | pack | start | smallest | pack | start |"
    )
    print("|---|" + "--:|" * 9)
    for recipe in recipes:
        source = pgolf_compose.compose(recipe, allow_noncompliant=True).minified
        cells = [f"{len(source):,}", *(f"{size:,}" for size in stock(source))]
        for packer, tries in ((instant, 5), (smallest, 1)):
            clock = time.process_time()
            packed = packer.pack(source)
            clock = time.process_time() - clock
            # what is decoded is not run
            start = seconds(packed.replace(b"exec(", b"len("), tries) - empty
            cells += [f"{len(packed):,}", f"{clock:.1f} s", f"{start:.2f} s"]
        print(f"| {recipe} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(RECIPES))
