import base64
import bz2
import lzma
import sys
import zlib

import brotli
import pytest
import zstandard
from test_pack import FILLER

from pgolf_compose.errors import ComposeError
from pgolf_compose.packers import mixing
from pgolf_compose.packers.instant import compressed, instant, loaders
from pgolf_compose.unpack import unpack

SOURCE = f'"""Told: é."""\nimport brotli\n{FILLER}print("done")'
DATA = SOURCE.encode()
RAW = [{"id": lzma.FILTER_LZMA2, "preset": 9}]
B85 = base64.b85encode(lzma.compress(DATA, lzma.FORMAT_RAW, filters=RAW)).decode()
SHAPES = {
    "as in public records": (
        "import lzma as L,base64 as B\n"
        f'exec(L.decompress(B.b85decode("{B85}"),format=L.FORMAT_RAW,'
        'filters=[{"id":L.FILTER_LZMA2}]))'
    ),
    "xz": f"import lzma\nexec(lzma.decompress({lzma.compress(DATA)!r}))",
    "zlib, base64": (
        "from zlib import decompress as d\nfrom base64 import b64decode\n"
        f"p={base64.b64encode(zlib.compress(DATA))!r}\n"
        "exec(compile(d(b64decode(p)).decode('utf-8'),'<packed>','exec'),globals())"
    ),
    "raw deflate, hex": (
        f"import zlib\nexec(zlib.decompress(bytes.fromhex('{zlib.compress(DATA)[2:-4].hex()}'),-15))"
    ),
    "bz2, ascii85": (
        f"import bz2,base64\nx,y={base64.a85encode(bz2.compress(DATA)).decode()!r},1\n"
        "if y==1:\n exec(bz2.decompress(base64.a85decode(x)))"
    ),
    "brotli, joined": (
        f"import base64,brotli\nP=({base64.b85encode(brotli.compress(DATA)).decode()!r}\n"
        "'')\nsource=brotli.decompress(base64.b85decode(''.join(P.split())))\nexec(source)"
    ),
    "zstd": (
        f"import zstandard as z\nexec(z.ZstdDecompressor().decompress({zstandard.compress(DATA)!r}))"
    ),
    "latin-1": (
        "#coding:L1\nimport zlib\n"
        f"exec(zlib.decompress({zlib.compress(DATA).decode('latin-1')!r}.encode('L1')))"
    ),
    "codecs": f"import codecs\nexec(codecs.decode({zlib.compress(DATA)!r},'zlib'))",
    "in one expression": (
        f"exec(__import__('zlib').decompress({zlib.compress(DATA)!r}))\nimport os\nos.remove('x')"
    ),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_public_shapes_open(shape):
    assert unpack(shape.encode("latin-1" if "coding:L1" in shape else "utf-8")).source == SOURCE


def test_layers_open_one_after_the_other():
    text = SOURCE
    for _ in range(4):
        text = f"import zlib\nexec(zlib.decompress({zlib.compress(text.encode())!r}))"
    found = unpack(text.encode())
    assert found.source == SOURCE
    assert found.layers == ("zlib",) * 4


def test_files_of_the_instant_packer_open():
    assert unpack(instant.pack(SOURCE)).source == SOURCE
    kinds = {}
    for module, call, data in compressed(SOURCE):
        kinds.setdefault((module, call), data)
    for (module, call), data in kinds.items():
        for lines in (False, True):
            for packed in loaders(module, call, data, lines):
                assert unpack(packed).source == SOURCE


def test_nothing_of_the_script_is_run(tmp_path):
    payload = zlib.compress(DATA)
    told = tmp_path / "told"
    script = (
        f"import zlib\nopen({str(told)!r},'w')\nprint('run')\n"
        f"exec(zlib.decompress({payload!r}))\nraise SystemExit(3)"
    )
    assert unpack(script.encode()).source == SOURCE
    assert not told.exists()


def bomb(size):
    packed = zlib.compress(bytes(size))
    return f"import zlib\nexec(zlib.decompress({packed!r}))".encode()


REFUSED = {
    b"": "is empty",
    b"\n \n": "is empty",
    b"print(1)\n": "is not packed: nothing in it is decoded and executed",
    b"import os\nexec(open('other.py').read())": "line 2: open() is not among what is evaluated; nothing of it was run",
    b"exec('a'*3": "is no Python: '(' was never closed in line 1; nothing of it was run",
    b"\x00\x01": "is no text: it holds zero bytes; nothing of it was run",
    b"x=5\nexec(y)": "line 2: y cannot be told without running it; nothing of it was run",
    b"import zlib\nexec(zlib.decompress(b'abc'))": "the payload is damaged: Error -3 while decompressing data: incorrect header check",
    b"import lzma\nexec(lzma.decompress(b'abc'))": "the payload is damaged: Input format not supported by decoder",
    b"x='a'*10**9\nexec(x)": "grows beyond 64 MB",
    b"x=9**9**9\nexec(x)": "grows beyond 64 MB",
    b"x=list(range(10**12))\nexec(x)": "grows beyond 64 MB",
    b"x='a'*10**7\nexec(x.replace('a',x))": "grows beyond 64 MB",
    b"x=0\nfor c in range(10**12):x=x+1\nexec(x)": "takes more than 20,000,000 steps to decode",
    bomb(70 << 20): "expands to 64 MB or more",
}


@pytest.mark.parametrize(("data", "message"), REFUSED.items(), ids=REFUSED.values())
def test_what_cannot_be_opened_is_told_in_a_line(data, message, monkeypatch):
    if "steps" in message:
        monkeypatch.setattr("pgolf_compose.unpack.STEPS", 20_000)
        message = message.replace("20,000,000", "20,000")
    with pytest.raises(ComposeError) as error:
        unpack(data)
    assert str(error.value) == message


def test_a_payload_cut_short_is_told(refuses, tree):
    packed = zlib.compress(DATA)[:-20]
    tree({"cut.py": f"import zlib\nexec(zlib.decompress({packed!r}))"})
    assert refuses("unpack", "cut.py") == "cut.py: the payload is damaged: it ends too early\n"


def test_the_command_prints_or_writes(cli, refuses, tree):
    folder = tree({"small.py": instant.pack(SOURCE), "mine.py": "print(1)\n"})
    assert cli("unpack", "small.py").stdout == SOURCE + "\n"
    told = cli("unpack", "small.py", "-o", "open.py").stdout
    assert told.startswith(f"open.py  {len(DATA):,} bytes from ") and "out of " in told
    assert (folder / "open.py").read_text(encoding="utf-8") == SOURCE
    assert "stays as it is" in refuses("unpack", "small.py", "-o", "mine.py")
    assert (folder / "mine.py").read_text() == "print(1)\n"
    assert "nowhere.py" in refuses("unpack", "nowhere.py")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="later versions read this text")
def test_text_for_a_later_python_is_opened_and_told():
    inner = 'print(f"{d["a"]}")'
    found = unpack(
        f"import zlib\nexec(zlib.decompress({zlib.compress(inner.encode())!r}))".encode()
    )
    assert found.source == inner
    assert found.doubt.startswith("is no Python")


def test_a_file_of_the_smallest_packer_is_read_by_its_own_decoder():
    source = "for n in range(3):\n\tprint(n,'\\u00e9')"
    packed = mixing.written(source, "1e4", lines=False)
    found = unpack(packed.encode())
    assert (found.source, found.layers) == (source, ("context mixing",))
    noted = packed.replace("\n", "\n# a note\n", 1)
    assert unpack(noted.encode()).source == source
    # one that is not ours to the letter is not decoded as ours
    assert mixing.read(packed.replace("6e5", "7e5")) is None
