"""Packages and programs that a script may ask for and this machine may lack."""

import builtins
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import lzma
import os
import shutil
import socket
import subprocess
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path

from pgolf_compose.standins import attention, kernels
from pgolf_compose.standins.child import HERE, is_own

__all__ = ["USED", "install"]

USED: list[str] = []  # what a script really asked for, in order


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Modules of these names, made when they are first imported."""

    def __init__(self, makers: Mapping[str, Callable[[], types.ModuleType]]):
        self.makers = makers

    def find_spec(self, name, path=None, target=None):
        if name in self.makers:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        if spec.name.partition(".")[0] not in USED:
            USED.append(spec.name.partition(".")[0])
        return self.makers[spec.name]()

    def exec_module(self, module) -> None:
        pass


def module(name: str, **contents) -> types.ModuleType:
    made = types.ModuleType(name)
    vars(made).update(contents)
    return made


def flash_attention_3(name: str) -> types.ModuleType:
    functions = attention.flash_attn_func, attention.flash_attn_varlen_func
    return module(name, **{one.__name__: one for one in functions})


def flash_attention_2(name: str) -> types.ModuleType:
    return module(
        name,
        __version__="2.0.0",
        flash_attn_func=attention.flash_attn_2_func,
        flash_attn_varlen_func=attention.flash_attn_2_varlen_func,
        flash_attn_qkvpacked_func=attention.flash_attn_2_qkvpacked_func,
    )


def hub_kernels(name: str) -> types.ModuleType:
    """`get_kernel("someone/flash-attention-3")`, fetched from a hub."""

    def get_kernel(repository, *args, **kwargs):
        if "flash" not in repository:
            raise NotImplementedError(f"there is no stand-in for the kernels of {repository}")
        found = flash_attention_3(repository)
        found.flash_attn_interface = found
        return found

    return module(name, get_kernel=get_kernel)


def plain_lzma(data, *args, **kwargs) -> bytes:
    return lzma.compress(bytes(data), preset=9)


def plain_unlzma(data, *args, **kwargs) -> bytes:
    return lzma.decompress(bytes(data))


def brotli(name: str) -> types.ModuleType:
    return module(
        name,
        compress=plain_lzma,
        decompress=plain_unlzma,
        MODE_GENERIC=0,
        MODE_TEXT=1,
        MODE_FONT=2,
        error=lzma.LZMAError,
    )


class Codec:
    """zstandard's compressor and decompressor in one."""

    def __init__(self, *args, **kwargs):
        pass

    compress, decompress = staticmethod(plain_lzma), staticmethod(plain_unlzma)


def zstandard(name: str) -> types.ModuleType:
    return module(
        name,
        ZstdCompressor=Codec,
        ZstdDecompressor=Codec,
        compress=plain_lzma,
        decompress=plain_unlzma,
        ZstdError=lzma.LZMAError,
        MAX_COMPRESSION_LEVEL=22,
    )


def hub(name: str) -> types.ModuleType:
    """huggingface_hub: finds the tiny data and nothing else."""

    def hf_hub_download(repo_id, filename, *args, **kwargs) -> str:
        found = sorted(Path("data").resolve().rglob(Path(filename).name))
        if not found:
            raise FileNotFoundError(f"{repo_id}: {filename} is not fetched here")
        return str(found[0])

    return module(
        name,
        hf_hub_download=hf_hub_download,
        snapshot_download=lambda *args, **kwargs: str(Path("data").resolve()),
    )


def silent_log(name: str) -> types.ModuleType:
    """wandb."""
    nothing = lambda *args, **kwargs: None  # noqa: E731
    run = types.SimpleNamespace(log=nothing, finish=nothing, config={}, summary={}, id="none")
    return module(
        name, init=lambda *args, **kwargs: run, log=nothing, finish=nothing, config={}, run=run
    )


# what there is to run on a GPU alone is always replaced; the others where they are missing
ALWAYS = {
    "flash_attn_interface": flash_attention_3,
    "flash_attn_3": flash_attention_3,
    "flash_attn_3.flash_attn_interface": flash_attention_3,
    "flash_attn": flash_attention_2,
    "flash_attn.flash_attn_interface": flash_attention_2,
    "kernels": hub_kernels,
    "huggingface_hub": hub,
    "wandb": silent_log,
}
MISSING = {"brotli": brotli, "zstandard": zstandard, "zstd": zstandard}


def install() -> None:
    makers = {name: functools.partial(make, name) for name, make in ALWAYS.items()}
    for name, make in MISSING.items():
        if importlib.util.find_spec(name) is None:
            makers[name] = functools.partial(make, name)
    triton = kernels.modules()
    makers |= {name: functools.partial(triton.get, name) for name in triton}
    for name in [name for name in sys.modules if name.partition(".")[0] == "triton"]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder(makers))
    hide_from_torch()
    install_programs()
    install_network()


def hide_from_torch() -> None:
    """torch, which has uses of its own for Triton, is to find none."""
    load = builtins.__import__

    def __import__(name, *args, **kwargs):
        if name.partition(".")[0] == "triton":
            frame = sys._getframe(1)
            while frame.f_back and frame.f_code.co_filename.startswith(HERE):
                frame = frame.f_back
            if not is_own(frame.f_code.co_filename):
                raise ModuleNotFoundError("there is no Triton here but the stand-in", name=name)
        return load(name, *args, **kwargs)

    builtins.__import__ = __import__


def lrzip(words: list[str]) -> None:
    """`lrzip -z -o OUT IN`, `lrzip -d -o OUT IN`: the same files, compressed by LZMA."""
    out, source, options = None, None, iter(words[1:])
    undo = "d" in "".join(word for word in words[1:] if word[:1] == "-" and word[:2] != "--")
    for word in options:
        if word in ("-o", "--outfile"):
            out = next(options)
        elif word in ("-L", "-p", "-w", "-m", "-S", "-O", "--level"):
            next(options)
        elif not word.startswith("-"):
            source = word
    undo = undo or "--decompress" in words
    target = Path(out or (source.removesuffix(".lrz") if undo else f"{source}.lrz"))
    data = Path(source).read_bytes()
    target.write_bytes(plain_unlzma(data) if undo else plain_lzma(data))


def pretended(words: list[str]) -> str | None:
    """What a program that is not to run here would have printed; None: it may run."""
    program = Path(words[0]).name if words else ""
    if program == "nvidia-smi":
        return "NVIDIA-SMI: a CPU stand-in\n"
    if program in ("lrzip", "lrunzip") and real_which(program) is None:
        lrzip(words if program == "lrzip" else [*words, "-d"])
        USED.append(program)
        return ""
    if program in ("pip", "pip3", "uv", "apt", "apt-get") or words[1:3] == ["-m", "pip"]:
        return ""
    return None


real_which, real_run, real_call = shutil.which, subprocess.run, subprocess.call


def install_programs() -> None:
    def words_of(command) -> list[str]:
        if isinstance(command, str):
            return command.split()
        return [os.fspath(word) for word in command] if isinstance(command, list | tuple) else []

    def run(command, *args, **kwargs):
        said = pretended(words_of(command))
        if said is None:
            return real_run(command, *args, **kwargs)
        text = any(kwargs.get(k) for k in ("text", "universal_newlines", "encoding"))
        out, err = (said, "") if text else (said.encode(), b"")
        if kwargs.get("stdout") is None and not kwargs.get("capture_output"):
            out = err = None
        return subprocess.CompletedProcess(command, 0, out, err)

    def call(command, *args, **kwargs) -> int:
        return real_call(command, *args, **kwargs) if pretended(words_of(command)) is None else 0

    def which(name, *args, **kwargs):
        found = real_which(name, *args, **kwargs)
        return found or (f"/usr/bin/{name}" if name in ("lrzip", "nvidia-smi") else None)

    subprocess.run, subprocess.call, shutil.which = run, call, which


def install_network() -> None:
    """Whatever a script wants to fetch, it is told at once that it cannot."""
    connect = socket.socket.connect

    def connect_here(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            if not host.startswith(("127.", "::1", "localhost", "0.0.0.0")):
                raise OSError(f"there is no network in a smoke run: {host}")
        return connect(self, address)

    socket.socket.connect = connect_here
