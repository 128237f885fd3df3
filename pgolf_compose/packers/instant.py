"""Small files that start at once: a stock compressor behind the densest text encoding."""

import itertools
import lzma
import re
from collections.abc import Iterator
from operator import itemgetter

from pgolf_compose.pack import MARK, Packer
from pgolf_compose.packers.digits import LOOPS, as_text
from pgolf_compose.packers.source import LINES, needs_lines, tidied

__all__ = ["instant"]


def pack_instant(source: str) -> bytes:
    """The shortest of all candidates, the plain source among them."""
    source = tidied(source)
    lines = needs_lines(source)
    found = [f"{MARK}\n{source}".encode()]
    ways = sorted(compressed(source), key=lambda way: (len(way[2]), *way))
    for _, same in itertools.groupby(sorted(ways, key=itemgetter(0, 1)), key=itemgetter(0, 1)):
        # the first of a kind that can be written is its shortest
        files = (written for way in same for written in loaders(*way, lines))
        found += itertools.islice(files, 2)
    return min(found, key=len)


def loaders(module: str, call: str, data: bytes, lines: bool) -> Iterator[bytes]:
    """The whole file, in each encoding that can write these bytes."""
    call = f"{module}.{call.format(f'x.to_bytes({len(data)})')}"
    run = f"x={call}.decode()\n{LINES.format('x')}\nexec(x)" if lines else f"exec({call})"
    for base, (before, after) in LOOPS.items():
        if text := as_text(int.from_bytes(data), base):
            yield f"{MARK}\nimport {module}\nx=0\n{before}{text}{after}\n{run}".encode()


def compressed(source: str) -> Iterator[tuple[str, str, bytes]]:
    """Each way to compress: the module, its call, and the bytes."""
    data = source.encode()
    for filters in lzma_filters(data):
        one, two = ({"id": kind, **filters} for kind in (lzma.FILTER_LZMA1, lzma.FILTER_LZMA2))
        yield "lzma", "decompress({})", lzma.compress(data, lzma.FORMAT_ALONE, filters=[one])
        raw = lzma.compress(data, lzma.FORMAT_RAW, filters=[two])
        yield "lzma", "decompress({},3,None,[{{'id':33}}])", raw
    if re.search(r"^\s*(import|from)\b.*\bbrotli\b", source, re.M):
        import brotli

        for mode in (brotli.MODE_GENERIC, brotli.MODE_FONT):
            for window in (16, 18):
                squeezed = brotli.compress(data, mode=mode, lgwin=window)
                yield "brotli", "decompress({})", squeezed


def lzma_filters(data: bytes) -> Iterator[dict[str, int]]:
    """Settings worth a try: how contexts are cut first, then how matches are found."""
    base = {"dict_size": 1 << max(12, (len(data) - 1).bit_length()), "depth": 1000}
    base |= {"mode": lzma.MODE_NORMAL, "lp": 0}

    def size(filters: dict[str, int]) -> int:
        filters = {"id": lzma.FILTER_LZMA2, **filters}
        return len(lzma.compress(data, lzma.FORMAT_RAW, filters=[filters]))

    cuts = [{**base, "lc": lc, "pb": pb} for lc in range(5) for pb in range(2)]
    best = min(cuts, key=size)
    for finder in (lzma.MF_BT4, lzma.MF_BT3, lzma.MF_BT2, lzma.MF_HC4):
        for nice in (24, 32, 64, 273):
            yield {**best, "mf": finder, "nice_len": nice}


instant = Packer(
    "instant", "starts at once: LZMA, or brotli where the script imports it", pack_instant
)
