"""torch.compile and what goes with it, without a compiler: functions run as they are written."""

import functools

import torch

__all__ = ["install"]


def as_written(function=None, *args, **kwargs):
    """A decorator with or without arguments that changes nothing."""
    return function if callable(function) else lambda function: function


def install() -> None:
    torch.compile = torch.compiler.disable = torch.compiler.allow_in_graph = as_written
    torch.nn.Module.compile = lambda self, *args, **kwargs: None
    torch.compiler.reset = torch.compiler.cudagraph_mark_step_begin = lambda: None
    torch._dynamo.optimize = as_written
    torch._dynamo.disable = torch._dynamo.allow_in_graph = as_written
    for name in [
        "reset",
        "mark_dynamic",
        "mark_static",
        "maybe_mark_dynamic",
        "mark_static_address",
    ]:
        setattr(torch._dynamo, name, lambda *args, **kwargs: None)
    # which refuses to train on a CPU, where only its compiled kernels cannot
    torch.nn.attention.flex_attention._validate_device = lambda *args, **kwargs: None
    install_settings()
    install_operators()


def install_settings() -> None:
    """Settings of other versions of torch are accepted and lost."""
    from torch.utils._config_module import ConfigModule

    ConfigModule.__setattr__ = lenient(ConfigModule.__setattr__)


def lenient(set_attribute):
    @functools.wraps(set_attribute)
    def quiet(self, name, value):
        try:
            set_attribute(self, name, value)
        except AttributeError:
            self.__dict__[name] = value

    return quiet


def install_operators() -> None:
    """Operators declared for CUDA alone run here as well."""
    declare = torch.library.custom_op

    @functools.wraps(declare)
    def custom_op(name, fn=None, /, *, mutates_args=(), device_types=None, **kwargs):
        return declare(name, fn, mutates_args=mutates_args, **kwargs)

    torch.library.custom_op = custom_op

    def triton_op(name, fn=None, /, *, mutates_args=(), **kwargs):
        return custom_op(name, fn, mutates_args=mutates_args)

    torch.library.triton_op = triton_op
    torch.library.wrap_triton = lambda kernel: kernel
    definition = torch._library.custom_ops.CustomOpDef
    register = definition.register_kernel
    definition.register_kernel = lambda self, device_types=None, fn=None, /: register(
        self, "cpu", fn
    )
    impl = torch.library.Library.impl

    @functools.wraps(impl)
    def on_cpu(self, op_name, fn, dispatch_key="", **kwargs):
        key = "CPU" if dispatch_key == "CUDA" else dispatch_key
        return impl(self, op_name, fn, key, **kwargs)

    torch.library.Library.impl = on_cpu
