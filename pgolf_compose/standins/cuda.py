"""torch.cuda on a CPU: "cuda" is another spelling of "cpu"."""

import contextlib
import functools
import os
import time
import types

import torch
from torch import nn

__all__ = ["install"]

MEMORY = 80 << 30  # bytes that the pretended GPU has
real_device, RealGenerator = torch.device, torch.Generator
NO_OPERATION = """
    init set_device synchronize empty_cache ipc_collect manual_seed manual_seed_all seed
    reset_peak_memory_stats reset_max_memory_allocated reset_accumulated_memory_stats
    set_per_process_memory_fraction set_stream set_sync_debug_mode
"""
FACTORIES = """
    arange as_tensor empty empty_like empty_strided eye full full_like hann_window linspace
    logspace normal ones ones_like rand rand_like randint randint_like randn randn_like randperm
    tensor tril_indices triu_indices zeros zeros_like asarray bernoulli set_default_device
"""


def on_cpu(device):
    """The device that stands in: a GPU is named by a string, a number or a torch.device."""
    if isinstance(device, int) and not isinstance(device, bool):
        return real_device("cpu")
    if isinstance(device, str) and device.startswith("cuda"):
        return real_device("cpu")
    return device


class AnyDevice(type):
    def __instancecheck__(cls, value) -> bool:
        return isinstance(value, real_device)

    def __call__(cls, type="cuda", index=None):
        on = on_cpu(type)
        return real_device(on) if index is None or on is not type else real_device(on, index)


class Device(metaclass=AnyDevice):
    """torch.device: a CPU's, whatever was asked for."""


class AnyGenerator(type):
    def __instancecheck__(cls, value) -> bool:
        return isinstance(value, RealGenerator)

    def __call__(cls, device="cpu"):
        return RealGenerator(on_cpu(device))


class Generator(metaclass=AnyGenerator):
    """torch.Generator: a CPU's."""


class Event:
    """A moment. Nothing runs in the background, so it has always happened."""

    def __init__(self, *args, **kwargs):
        self.moment = time.perf_counter()

    def record(self, stream=None) -> None:
        self.moment = time.perf_counter()

    def elapsed_time(self, other: "Event") -> float:
        return 1000 * (other.moment - self.moment)

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        pass

    wait = record


class Stream:
    """A queue of work that is done at once."""

    device, cuda_stream = real_device("cpu"), 0

    def __init__(self, *args, **kwargs):
        pass

    def record_event(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record()
        return event

    def query(self) -> bool:
        return True

    def ignore(self, *args) -> None:
        pass

    synchronize = wait_stream = wait_event = ignore

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *exception) -> None:
        pass


def always(value):
    return lambda *args, **kwargs: value


def no_graphs(*args, **kwargs):
    raise NotImplementedError("CUDA graphs have no stand-in on a CPU")


def install() -> None:
    torch.device, torch.Generator = Device, Generator
    install_cuda()
    install_calls()
    install_numerics()


def install_cuda() -> None:
    gpu = types.SimpleNamespace(
        name="CPU stand-in",
        major=9,
        minor=0,
        multi_processor_count=132,
        total_memory=MEMORY,
        max_threads_per_multi_processor=2048,
        shared_memory_per_block_optin=232448,
        warp_size=32,
        L2_cache_size=50 << 20,
    )
    stream = Stream()
    stands_in = {
        "is_available": True,
        "is_initialized": True,
        "is_bf16_supported": True,
        "device_count": 1,
        "current_device": 0,
        "current_stream": stream,
        "default_stream": stream,
        "get_device_properties": gpu,
        "get_device_name": gpu.name,
        "get_device_capability": (9, 0),
        "mem_get_info": (MEMORY, MEMORY),
        "memory_allocated": 0,
        "memory_reserved": 0,
        "memory_stats": {},
        "memory_summary": "",
        "max_memory_allocated": 0,
        "max_memory_reserved": 0,
        "utilization": 0,
        "device_memory_used": 0,
    }
    for name in NO_OPERATION.split():
        stands_in[name] = None
    for name, value in stands_in.items():
        setattr(torch.cuda, name, always(value))
    torch.cuda.Stream, torch.cuda.Event = Stream, Event
    torch.cuda.stream = lambda stream: stream or Stream()
    torch.cuda.device = lambda device: contextlib.nullcontext()
    torch.cuda.get_rng_state = lambda *device: torch.get_rng_state()
    torch.cuda.set_rng_state = lambda state, *device: torch.set_rng_state(state)
    torch.cuda.get_rng_state_all = lambda: [torch.get_rng_state()]
    torch.cuda.set_rng_state_all = lambda states: torch.set_rng_state(states[0])
    torch.cuda.CUDAGraph = torch.cuda.graph = torch.cuda.make_graphed_callables = no_graphs
    for name in ["range_push", "range_pop", "mark"]:
        setattr(torch.cuda.nvtx, name, always(None))
    torch.cuda.nvtx.range = lambda *args, **kwargs: contextlib.nullcontext()


def install_calls() -> None:
    """Whatever takes a device takes the CPU's."""
    for name in FACTORIES.split():
        setattr(torch, name, elsewhere(getattr(torch, name), name == "set_default_device"))
    for name in ["new_empty", "new_full", "new_ones", "new_tensor", "new_zeros"]:
        setattr(torch.Tensor, name, elsewhere(getattr(torch.Tensor, name)))
    for owner in (torch.Tensor, nn.Module):
        owner.to = elsewhere(owner.to, True)
        owner.cuda = lambda self, *args, **kwargs: self
    nn.Module.to_empty = elsewhere(nn.Module.to_empty)
    for name in ["pin_memory", "record_stream"]:
        setattr(torch.Tensor, name, lambda self, *args, **kwargs: self)
    torch.Tensor.is_pinned = always(False)
    torch.Tensor.is_cuda = property(lambda self: running_own_code())
    load = torch.load

    @functools.wraps(load)
    def load_here(f, map_location=None, **kwargs):
        return load(f, map_location="cpu", **kwargs)

    torch.load = load_here
    DataLoader = torch.utils.data.DataLoader
    __init__ = DataLoader.__init__

    def without_pinning(self, *args, **kwargs):
        kwargs.pop("pin_memory", None), kwargs.pop("pin_memory_device", None)
        __init__(self, *args, **kwargs)

    DataLoader.__init__ = without_pinning


def running_own_code() -> bool:
    """Scripts ask `is_cuda` to refuse a CPU; torch asks it to choose a kernel."""
    import sys

    from pgolf_compose.standins.child import is_own

    return is_own(sys._getframe(2).f_code.co_filename)


def elsewhere(function, positional: bool = False):
    """The function with `device=` mapped, and the first argument where a device may stand there."""

    @functools.wraps(function)
    def here(*args, **kwargs):
        if "device" in kwargs:
            kwargs["device"] = on_cpu(kwargs["device"])
        kwargs.pop("pin_memory", None)
        if positional:
            args = [one if isinstance(one, bool) else on_cpu(one) for one in args]
        return function(*args, **kwargs)

    return here


class Autocast(torch.autocast):
    """torch.autocast for "cuda", whose default is float16, on a CPU."""

    def __init__(self, device_type="cuda", dtype=None, enabled=True, cache_enabled=None):
        if str(device_type).startswith("cuda"):
            device_type, dtype = "cpu", dtype or torch.float16
        super().__init__(device_type, dtype=dtype, enabled=enabled, cache_enabled=cache_enabled)


class NoGrad(torch.no_grad):
    """torch.inference_mode: what is cached under it can be trained with, as compiled code can."""

    def __new__(cls, mode=True):
        return torch.no_grad()(mode) if callable(mode) else super().__new__(cls)

    def __init__(self, mode=True):
        super().__init__()
        self.mode = mode

    def __enter__(self) -> None:
        self.prev = torch.is_grad_enabled()
        if self.mode:
            torch.set_grad_enabled(False)

    def clone(self) -> "NoGrad":
        return type(self)(self.mode)


def install_numerics() -> None:
    """Autocast, scalers, attention backends and optimizers' kernels for GPUs."""
    torch.autocast = torch.amp.autocast = Autocast
    torch.cuda.amp.autocast = lambda enabled=True, dtype=None, **kwargs: Autocast(
        "cuda", dtype, enabled
    )
    scaler = torch.amp.GradScaler
    torch.amp.GradScaler = torch.cuda.amp.GradScaler = lambda *args, **kwargs: scaler(
        "cpu", enabled=False
    )
    torch.inference_mode = NoGrad
    for name in dir(torch.backends.cuda):
        if name.startswith("enable_"):
            setattr(torch.backends.cuda, name, always(None))
        elif name.endswith("_enabled"):
            setattr(torch.backends.cuda, name, always(True))
    torch.nn.attention.sdpa_kernel = torch.backends.cuda.sdp_kernel = (
        lambda *args, **kwargs: contextlib.nullcontext()
    )
    torch.set_float32_matmul_precision = always(None)
    for optimizer in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.NAdam):
        optimizer.__init__ = without(optimizer.__init__, "capturable")
    os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "1")


def without(function, *names):
    @functools.wraps(function)
    def fewer(*args, **kwargs):
        return function(*args, **{k: v for k, v in kwargs.items() if k not in names})

    return fewer
