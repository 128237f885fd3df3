"""torch.distributed as NCCL offers it, over gloo: averages, scattered sums, half precision."""

import functools

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["install"]


class Done:
    """What an asynchronous operation returns; it was done at once."""

    def __init__(self, result=None):
        self.future = torch.futures.Future()
        self.future.set_result(result)

    def wait(self, timeout=None) -> bool:
        return True

    def is_completed(self) -> bool:
        return True

    is_success = is_completed

    def get_future(self) -> torch.futures.Future:
        return self.future


real = {
    name: getattr(dist, name)
    for name in ["init_process_group", "all_reduce", "all_gather", "barrier", "reduce", "broadcast"]
}


def init_process_group(backend=None, init_method=None, *args, **kwargs) -> None:
    kwargs = {k: v for k, v in kwargs.items() if k not in ("device_id", "pg_options")}
    import os

    world = int(kwargs.get("world_size", -1))
    world = int(os.environ.get("WORLD_SIZE", 1)) if world < 1 else world
    if world == 1:
        # one process needs no port
        kwargs.update(store=dist.HashStore(), rank=0, world_size=1)
        init_method = None
    real["init_process_group"]("gloo", init_method, *args, **kwargs)


def all_reduce(tensor: Tensor, op=dist.ReduceOp.SUM, group=None, async_op=False) -> Done | None:
    """In float32 for half precision, which gloo does not add."""
    half = tensor.dtype in (torch.bfloat16, torch.float16)
    total = tensor.float() if half else tensor.contiguous()
    average = op == dist.ReduceOp.AVG
    real["all_reduce"](total, dist.ReduceOp.SUM if average else op, group)
    if average:
        total = total / dist.get_world_size(group)
    if total is not tensor:
        with torch.no_grad():
            tensor.copy_(total)
    return Done([tensor]) if async_op else None


def reduce(tensor: Tensor, dst=None, op=dist.ReduceOp.SUM, group=None, async_op=False, **kwargs):
    return all_reduce(tensor, op, group, async_op)


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op=dist.ReduceOp.SUM, group=None, async_op=False
) -> Done | None:
    total = input.detach().clone()
    all_reduce(total, op, group)
    mine = total.view(dist.get_world_size(group), *output.shape)[dist.get_rank(group)]
    with torch.no_grad():
        output.copy_(mine)
    return Done(output) if async_op else None


def reduce_scatter(
    output: Tensor, input_list, op=dist.ReduceOp.SUM, group=None, async_op=False
) -> Done | None:
    return reduce_scatter_tensor(output, torch.stack(list(input_list)), op, group, async_op)


def all_gather(tensor_list, tensor: Tensor, group=None, async_op=False) -> Done | None:
    # as bytes, which every type has
    shape, dtype = tensor.shape, tensor.dtype
    flat = tensor.detach().contiguous().view(-1).view(torch.uint8)
    parts = [torch.empty_like(flat) for _ in tensor_list]
    real["all_gather"](parts, flat, group)
    with torch.no_grad():
        for output, part in zip(tensor_list, parts, strict=True):
            output.copy_(part.view(dtype).view(shape))
    return Done(tensor_list) if async_op else None


def all_gather_into_tensor(output: Tensor, input: Tensor, group=None, async_op=False):
    parts = list(output.view(dist.get_world_size(group), *input.shape).unbind(0))
    all_gather(parts, input, group)
    return Done(output) if async_op else None


def broadcast(tensor: Tensor, src=None, group=None, async_op=False, **kwargs) -> Done | None:
    real["broadcast"](tensor.detach(), src, group, **kwargs)
    return Done([tensor]) if async_op else None


def barrier(group=None, async_op=False, device_ids=None) -> Done | None:
    real["barrier"](group)
    return Done() if async_op else None


def install() -> None:
    for function in (
        init_process_group,
        all_reduce,
        reduce,
        reduce_scatter,
        reduce_scatter_tensor,
        all_gather,
        all_gather_into_tensor,
        broadcast,
        barrier,
    ):
        setattr(dist, function.__name__, function)
    dist._reduce_scatter_base = reduce_scatter_tensor
    dist._all_gather_base = all_gather_into_tensor
    dist.is_nccl_available = lambda: True
    parallel = torch.nn.parallel.DistributedDataParallel
    __init__ = parallel.__init__

    @functools.wraps(__init__)
    def on_no_device(self, module, device_ids=None, output_device=None, *args, **kwargs):
        __init__(self, module, None, None, *args, **kwargs)

    parallel.__init__ = on_no_device
