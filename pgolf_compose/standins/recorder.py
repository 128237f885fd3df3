"""What a run does, told as it happens: by what it asks of torch, not by what it prints.

Lines of JSON. {"stage": ...} tells that a stage went through; with `trace`, {"kind": ...} tells
each loss, rate, figure, output and set of tensors, for `diff --run`.
"""

import builtins
import functools
import gc
import hashlib
import importlib
import io
import json
import lzma
import os
import platform
import re
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from pgolf_compose.standins import packages
from pgolf_compose.standins.child import is_own

__all__ = ["Recorder", "TooLarge"]

PASS_FLOP = 1e12  # of one forward pass, which takes a core about a minute
SCORE = re.compile(r"(?P<label>.*?)\b(?:val_)?bpb[:=]\s*(?P<bpb>\d+\.\d+)", re.IGNORECASE)
LOSS = re.compile(r"val_loss[:=]\s*(\d+\.\d+)", re.IGNORECASE)
NARROW = (torch.int8, torch.uint8)


class TooLarge(Exception):
    """What a CPU cannot do in a smoke run's time."""


def calls_own(depth: int = 2) -> bool:
    """Whether the script itself called the function that asks."""
    return is_own(sys._getframe(depth).f_code.co_filename)


def digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def values(tensor: Tensor) -> np.ndarray:
    """A tensor's numbers for numpy, which knows no bfloat16."""
    tensor = tensor.detach().cpu()
    if tensor.dtype in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
        tensor = tensor.float()
    return tensor.contiguous().numpy()


def tensors_in(value, path: str = "") -> list[tuple[str, Tensor]]:
    """The tensors that a nest of dicts and lists holds, each with where it lies."""
    if isinstance(value, Tensor):
        return [(path, value)]
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list | tuple) else items
    return [found for key, one in items for found in tensors_in(one, f"{path}/{key}")]


class Recorder:
    """One run's."""

    def __init__(self, asked: dict):
        events = Path(asked["events"])
        self.out = events.open("w", encoding="utf-8")
        self.folder, self.trace, self.stages = events.parent, asked["trace"], asked["stages"]
        self.seconds_per_step = asked["seconds_per_step"]
        self.started = self.last = time.perf_counter()
        self.clock = time.perf_counter
        self.done: list[str] = []
        self.imported = 0.0
        self.names: dict[str, bool] = {}  # of the environment; whether they were set
        self.root: nn.Module | None = None
        self.parameters = self.depth = self.in_modules = self.snapshots = 0
        self.micro: list[float] = []  # losses since the last step
        self.losses: list[float] = []  # one of each step of training
        self.steps = self.updates = 0  # in training; after the artifact was read
        self.narrowed = [0, 0]  # tensors and numbers made int8 or uint8 after training
        self.codec = ""
        self.written: dict[str, None] = {}  # files since the first step
        self.artifact = ""
        self.passes = self.no_passes()  # since the last score was told
        self.embedding: tuple = ()

    # what is told

    def tell(self, **event) -> None:
        self.out.write(json.dumps(event) + "\n")
        self.out.flush()

    def stage(self, name: str, detail: str, at: float | None = None) -> None:
        now = self.clock() if at is None else at
        self.tell(stage=name, detail=detail, seconds=now - self.last)
        self.last = now
        self.done.append(name)

    def failed(self, message: str, line: int | None, file: str, text: str) -> None:
        if not self.parameters:
            modules = [one for one in gc.get_objects() if issubclass(type(one), nn.Module)]
            sizes = (sum(p.numel() for p in one.parameters()) for one in modules)
            self.tell(parameters=max(sizes, default=0))
        self.tell(
            failed=self.under_way(), message=message, line=line, file=file, text=text, at=self.at()
        )

    def at(self) -> str:
        """How far the stage under way had come."""
        return f"after {self.steps} steps" if self.under_way() == "step" and self.steps else ""

    def under_way(self) -> str:
        return next(
            (one for one in self.stages if one not in self.done), "after the last evaluation"
        )

    def ended(self, status: int) -> None:
        """What only the end shows; then the end."""
        if status == 0:
            self.flush_evaluation()
            if self.trace and self.root is not None:
                self.tensors("at the end", self.root.state_dict())
            files = {
                path: os.path.getsize(path)
                for path in self.written
                if os.path.isfile(path) and Path(path).resolve() != Path(self.out.name).resolve()
            }
            self.tell(files=files)
        self.tell(end=status, used=packages.USED, names=self.names)

    def record(self, kind: str, **event) -> None:
        if self.trace:
            self.tell(kind=kind, **event)

    def tensors(self, what: str, named: dict) -> None:
        """Every tensor: its hash here, its numbers in a file beside."""
        if not self.trace:
            return
        arrays = [values(one) for one in named.values()]
        self.snapshots += 1
        file = self.folder / f"tensors-{self.snapshots}.npz"
        np.savez(file, **{f"t{n}": one for n, one in enumerate(arrays)})
        self.tell(
            kind="tensors",
            what=what,
            names=[*named],
            shapes=[list(one.shape) for one in named.values()],
            dtypes=[str(one.dtype).removeprefix("torch.") for one in named.values()],
            hashes=[digest(one.tobytes()) for one in arrays],
            file=file.name,
        )

    # what is watched

    def watch(self) -> None:
        """Put every watch in place; the script has not begun."""
        self.watch_environment()
        self.watch_modules()
        self.watch_training()
        self.watch_quantising()
        self.watch_files()
        self.watch_codecs()
        self.watch_output()
        if self.trace:
            self.watch_figures()
        if self.seconds_per_step:
            self.replace_clock()
        leave = os._exit

        def leaves(status: int) -> None:
            self.ended(status)
            leave(status)

        os._exit = leaves

    def begins(self) -> None:
        packages.USED.clear()
        self.imported = self.clock()

    def watch_environment(self) -> None:
        get, load = os._Environ.__getitem__, builtins.__import__

        def __getitem__(environ, name):
            frame = sys._getframe(1)
            for _ in range(2):  # through os.getenv and Mapping.get
                if frame.f_code.co_filename.startswith(("<frozen", os.__file__)) and frame.f_back:
                    frame = frame.f_back
            if is_own(frame.f_code.co_filename):
                self.names[name] = name.encode() in environ._data
            return get(environ, name)

        def __import__(name, *args, **kwargs):
            found = load(name, *args, **kwargs)
            if not self.done:
                frame = sys._getframe(1)
                if frame.f_code.co_name == "<module>" and is_own(frame.f_code.co_filename):
                    self.imported = self.clock()
            return found

        os._Environ.__getitem__ = __getitem__
        builtins.__import__ = __import__

    def configured(self) -> None:
        """The script has read its values: it makes modules, or opens data."""
        if self.done:
            return
        standing_in = f"; stand-ins for {', '.join(packages.USED)}" if packages.USED else ""
        versions = f"python {platform.python_version()}, torch {torch.__version__}"
        self.stage("imports", versions + standing_in, self.imported)
        read = len(self.names)
        self.stage(
            "hyperparameters",
            f"{read} names of the environment read, {sum(self.names.values())} set",
        )

    def watch_modules(self) -> None:
        __init__ = nn.Module.__init__

        @functools.wraps(__init__)
        def made(module, *args, **kwargs):
            if not self.done and is_own(type(module).__init__.__code__.co_filename):
                self.configured()
            __init__(module, *args, **kwargs)

        nn.Module.__init__ = made
        nn.modules.module.register_module_forward_pre_hook(self.enters)
        nn.modules.module.register_module_forward_hook(self.leaves, always_call=True)
        embed, load = nn.functional.embedding, nn.Module.load_state_dict

        @functools.wraps(embed)
        def embedding(input, weight, *args, **kwargs):
            if not self.embedding and self.root is not None:
                self.embedding = tuple(weight.shape)
            if tuple(weight.shape) == self.embedding:
                self.passes[torch.is_grad_enabled()].append(input.numel())
            return embed(input, weight, *args, **kwargs)

        nn.functional.embedding = embedding

        @functools.wraps(load)
        def load_state_dict(module, state, *args, **kwargs):
            if calls_own():
                self.tensors("loaded", {k: v for k, v in state.items() if isinstance(v, Tensor)})
                self.loaded(len(state))
            return load(module, state, *args, **kwargs)

        nn.Module.load_state_dict = load_state_dict

    def enters(self, module: nn.Module, args) -> None:
        self.depth += 1
        if self.depth == 1 and (self.root is None or torch.is_grad_enabled()):
            count = sum(one.numel() for one in module.parameters())
            if count > self.parameters and not self.steps:
                self.found(module, count, args)

    def found(self, module: nn.Module, count: int, args) -> None:
        """The model is what is called from outside and has the most parameters."""
        self.configured()
        self.root = getattr(module, "module", module)  # within DistributedDataParallel
        self.parameters = count
        if "parameters" not in self.done:
            kinds = ", ".join(sorted({str(p.dtype)[6:] for p in module.parameters()}))
            self.stage("parameters", f"{count:,} ({kinds})")
            self.tell(parameters=count)
            self.tensors("at the start", self.root.state_dict())
        tokens = max((one.numel() for one in args if isinstance(one, Tensor)), default=0)
        if 2 * count * tokens > PASS_FLOP:
            raise TooLarge(
                f"too large for a CPU smoke run: {count:,} parameters, {tokens:,} tokens in a pass"
            )

    def leaves(self, module: nn.Module, args, output) -> None:
        self.depth -= 1
        if self.depth == 0 and self.root is not None and output is not None:
            if getattr(module, "module", module) is not self.root:
                return
            outputs = tensors_in(output)
            if "forward" not in self.done:
                ids = next((one for _, one in tensors_in(list(args))), None)
                told = f"{list(ids.shape)} tokens" if ids is not None else "one pass"
                self.stage(
                    "forward", f"{told} give {', '.join(str(list(o.shape)) for _, o in outputs)}"
                )
            if self.trace:
                for _, one in outputs:
                    self.number("output", one)

    def watch_training(self) -> None:
        backward = Tensor.backward

        @functools.wraps(backward)
        def with_loss(loss, *args, **kwargs):
            self.number("loss", loss)
            self.micro.append(float(loss.detach().sum()))
            return backward(loss, *args, **kwargs)

        Tensor.backward = with_loss
        register_optimizer_step_pre_hook(self.steps_once)

    def steps_once(self, optimizer, args, kwargs) -> None:
        if self.artifact:
            self.updates += 1
        elif self.micro:
            self.steps += 1
            self.losses.append(sum(self.micro))
        if not self.artifact:
            self.passes = self.no_passes()
        self.micro = []
        for group in optimizer.param_groups:
            rates = {
                key: group[key]
                for key in ("lr", "momentum", "weight_decay", "betas", "eps")
                if isinstance(group.get(key), int | float | tuple | list)
            }
            self.record("rate", value=rates)
        self.virtual += self.seconds_per_step

    def trained(self) -> None:
        """Something follows training: it is over."""
        if self.steps and "step" not in self.done and "forward" in self.done:
            losses = [one for one in self.losses if one == one]
            told = f"{self.steps} steps"
            if losses:
                told += f", loss {self.losses[0]:.4f} to {self.losses[-1]:.4f}"
            self.stage("step", told)
            if self.root is not None:
                self.tensors("after training", self.root.state_dict())

    def watch_quantising(self) -> None:
        """Numbers made narrow outside of any forward pass, once there was training."""

        def counting(cast):
            @functools.wraps(cast)
            def narrow(tensor, *args, **kwargs):
                result = cast(tensor, *args, **kwargs)
                if (
                    self.steps
                    and not self.depth
                    and not self.artifact
                    and isinstance(result, Tensor)
                    and result.dtype in NARROW
                    and tensor.dtype != result.dtype
                    and tensor.dtype != torch.bool
                    and result.numel() > 1
                ):
                    self.trained()
                    self.narrowed[0] += 1
                    self.narrowed[1] += result.numel()
                return result

            return narrow

        for name in ["to", "type", "char", "byte", "type_as"]:
            setattr(Tensor, name, counting(getattr(Tensor, name)))

    def quantised(self) -> None:
        if self.narrowed[0] and "quantise" not in self.done:
            tensors, numbers = self.narrowed
            self.stage("quantise", f"{tensors} tensors, {numbers:,} numbers in 8 bits or fewer")

    def watch_files(self) -> None:
        save = torch.save

        @functools.wraps(save)
        def saving(obj, f, *args, **kwargs):
            if self.steps:
                self.trained()
                if isinstance(f, str | os.PathLike):
                    self.written[os.path.abspath(f)] = None
                self.tensors("saved", dict(tensors_in(obj)))
            return save(obj, f, *args, **kwargs)

        torch.save = saving
        load = torch.load

        @functools.wraps(load)
        def loading(f, *args, **kwargs):
            if isinstance(f, str | os.PathLike):
                self.opened(os.path.abspath(f), False)
            return load(f, *args, **kwargs)

        torch.load = loading
        sys.addaudithook(self.audit)

    def audit(self, event: str, args: tuple) -> None:
        if event == "open" and isinstance(args[0], str | bytes | os.PathLike):
            path = os.path.abspath(os.fsdecode(args[0]))
            writing = bool(args[2] & (os.O_WRONLY | os.O_RDWR)) if args[2] else False
            if isinstance(args[1], str):
                writing = bool(set(args[1]) & set("wax+"))
            self.opened(path, writing)

    def opened(self, path: str, writing: bool) -> None:
        if not writing and not self.done and path.endswith((".bin", ".model", ".json", ".vocab")):
            if os.path.isfile(path):
                self.configured()
        elif writing and self.steps:
            if not path.endswith((".txt", ".log", ".jsonl", ".json", ".npz")):
                self.written[path] = None
        elif self.steps and not self.artifact and path in self.written:
            self.packed(path)

    def packed(self, path: str) -> None:
        """The artifact is complete: it is being read."""
        if not os.path.isfile(path):
            return
        self.trained(), self.quantised()
        self.artifact = path
        self.stage(
            "artifact", f"{os.path.getsize(path):,} bytes, {os.path.basename(path)}{self.codec}"
        )

    def watch_codecs(self) -> None:
        for module, compress, decompress in (
            (zlib, "compress", "decompress"),
            (lzma, "compress", "decompress"),
            *((importlib.import_module(n), "compress", "decompress") for n in ("bz2", "gzip")),
            *((m, "compress", "decompress") for m in map(imported, ("brotli",)) if m),
        ):
            name = module.__name__
            setattr(module, compress, self.compressing(getattr(module, compress), name))
            setattr(module, decompress, self.decompressing(getattr(module, decompress)))
        if zstandard := imported("zstandard"):
            self.watch_zstandard(zstandard)

    def watch_zstandard(self, zstandard) -> None:
        """Its compressors are objects of C, which take no other method."""

        def around(kind, method, watch):
            @functools.wraps(kind)
            def make(*args, **kwargs):
                return Around(kind(*args, **kwargs), method, watch)

            return make

        compressing = functools.partial(self.compressing, name="zstd")
        for kind, method, watch in (
            ("ZstdCompressor", "compress", compressing),
            ("ZstdDecompressor", "decompress", self.decompressing),
        ):
            setattr(zstandard, kind, around(getattr(zstandard, kind), method, watch))

    def compressing(self, compress, name: str):
        @functools.wraps(compress)
        def compressed(data, *args, **kwargs):
            own = self.steps and calls_own() and not self.artifact
            if own:
                self.trained(), self.quantised()
            result = compress(data, *args, **kwargs)
            if own:
                self.codec = f", {name}"
            return result

        return compressed

    def decompressing(self, decompress):
        @functools.wraps(decompress)
        def decompressed(data, *args, **kwargs):
            if self.steps and not self.artifact and self.written and calls_own():
                sizes = {
                    path: os.path.getsize(path) for path in self.written if os.path.isfile(path)
                }
                same = [path for path, size in sizes.items() if size == len(data)]
                if same:
                    self.packed(same[-1])
            return decompress(data, *args, **kwargs)

        return decompressed

    def loaded(self, tensors: int) -> None:
        if self.artifact and "read back" not in self.done and tensors > 1:
            self.stage("read back", f"{tensors} tensors loaded")
            self.passes = self.no_passes()

    def watch_output(self) -> None:
        recorder = self

        class Lines(io.TextIOBase):
            """Standard output, which tells scores as well."""

            encoding, errors, buffer = "utf-8", "replace", sys.stdout.buffer
            real, line = sys.stdout, ""

            def write(self, text: str) -> int:
                self.line += text
                *whole, self.line = self.line.split("\n")
                for line in whole:
                    recorder.printed(line)
                return self.real.write(text)

            def flush(self) -> None:
                self.real.flush()

            def fileno(self) -> int:
                return self.real.fileno()

            def isatty(self) -> bool:
                return False

            def writable(self) -> bool:
                return True

        sys.stdout = Lines()

    def printed(self, line: str) -> None:
        if found := SCORE.search(line):
            losses = [float(one) for one in LOSS.findall(line)]
            self.record("score", value=[*losses, float(found["bpb"])])
            self.flush_evaluation(found)

    def flush_evaluation(self, found: re.Match | None = None) -> None:
        """An evaluation is over: its score was printed, or something else begins."""
        # a pass with gradients may score as well, where it is the only one
        scored = max(self.passes[False], self.passes[True], key=sum)
        if "read back" in self.done and scored:
            told = f"{sum(scored):,} tokens in {len(scored)} passes"
            if self.updates:
                told += f", {self.updates} updates"
            if found:
                label = found["label"].split()
                told += f", {found['bpb']} bits per byte" + (f", {label[0]}" if label else "")
            self.stage("evaluate", told)
        self.passes, self.updates = self.no_passes(), 0

    @staticmethod
    def no_passes() -> dict[bool, list[int]]:
        """Tokens of each, without gradients and with them."""
        return {False: [], True: []}

    # what is only recorded

    def number(self, kind: str, tensor: Tensor) -> None:
        """A tensor's exact bytes, and the value of one that has one."""
        if self.trace:
            array = values(tensor)
            value = float(array.reshape(-1)[0]) if array.size == 1 else None
            self.tell(kind=kind, value=value, shape=list(array.shape), hash=digest(array.tobytes()))

    def watch_figures(self) -> None:
        """Numbers that the script takes out of tensors: sums of evaluations, norms, counts."""
        for name in ["item", "tolist", "__float__", "__int__"]:
            setattr(Tensor, name, self.reading(getattr(Tensor, name)))

    def reading(self, read):
        @functools.wraps(read)
        def recorded(tensor):
            if tensor.numel() <= 64 and calls_own():
                self.number("figure", tensor)
            return read(tensor)

        return recorded

    virtual = 0.0

    def replace_clock(self) -> None:
        """The script's clock goes by steps, so that what follows it is the same in every run."""
        for name in ["time", "perf_counter", "monotonic"]:
            setattr(time, name, self.told_time(getattr(time, name)))

    def told_time(self, real):
        return lambda: 1e6 + self.virtual if calls_own() else real()


class Around:
    """An object with one method replaced."""

    def __init__(self, inner, method: str, watch):
        self.__dict__.update(inner=inner, **{method: watch(getattr(inner, method))})

    def __getattr__(self, name):
        return getattr(self.inner, name)


def imported(name: str):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
