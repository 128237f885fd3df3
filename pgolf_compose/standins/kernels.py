"""Triton without a GPU: each program of a kernel's grid is run in turn, its blocks torch tensors.

Types follow Triton's rules, not torch's: a bfloat16 block times a float32 scalar argument is
float32, integers divide towards zero, reductions and dot products add in float32. The order in
which a GPU adds is not reproduced.
"""

import builtins
import functools
import inspect
import itertools
import types

import torch

__all__ = ["Block", "Kernel", "Pointer", "TensorDescriptor", "modules"]

OPTIONS = [
    "num_warps",
    "num_stages",
    "num_ctas",
    "maxnreg",
    "enable_fp_fusion",
    "grid",
    "warmup",
    "stream",
]
HALF = (torch.bfloat16, torch.float16)
ELEMENTWISE = """
    exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan tanh sinh cosh asin acos atan erf
    erfc sigmoid floor ceil trunc round atan2 hypot lgamma isnan isinf pow
"""
MODULES = """
    triton triton.language triton.language.math triton.language.extra
    triton.language.extra.libdevice triton.language.extra.cuda
    triton.language.extra.cuda.libdevice triton.tools triton.tools.tensor_descriptor
    triton.runtime triton.testing
"""


def kind(dtype: torch.dtype) -> int:
    """Truth values, integers, floating-point numbers."""
    return 2 if dtype.is_floating_point else int(dtype != torch.bool)


def common_type(a, b, division: bool = False) -> torch.dtype:
    """The type in which Triton computes with two operands, blocks or Python's numbers."""
    if not isinstance(a, Block):
        a, b = b, a
    if not isinstance(b, Block):
        number = 2 if isinstance(b, float) else 0 if isinstance(b, bool) else 1
        if number > kind(a.dtype):
            return torch.float32 if number == 2 else torch.int32
        return torch.float32 if division and a.dtype in HALF else a.dtype
    if kind(a.dtype) != kind(b.dtype):
        wanted = max(a.dtype, b.dtype, key=kind)
    elif a.dtype in HALF and b.dtype in HALF and a.dtype != b.dtype:
        wanted = torch.float16
    else:
        wanted = max(a.dtype, b.dtype, key=lambda dtype: dtype.itemsize)
    return torch.float32 if division and wanted in HALF else wanted


def raw(value, dtype: torch.dtype | None = None):
    """The tensor of a block, or of a number."""
    data = value.data if isinstance(value, Block) else torch.as_tensor(value)
    return data if dtype is None else data.to(dtype)


def binary(compute, division: bool = False, result: torch.dtype | None = None):
    def apply(a, b):
        if isinstance(b, Pointer):
            return NotImplemented
        dtype = common_type(a, b, division)
        found = compute(raw(a, dtype), raw(b, dtype))
        return Block(found if result is None else found.to(result))

    return apply


def true_division(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a / b if a.is_floating_point() else a.float() / b.float()


def whole_division(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.div(a, b, rounding_mode="trunc")


class Block:
    """A tensor that a program holds: numbers, of any shape."""

    def __init__(self, data: torch.Tensor):
        self.data = data

    dtype = property(lambda self: self.data.dtype)
    type = dtype
    shape = property(lambda self: list(self.data.shape))
    numel = property(lambda self: self.data.numel())
    T = property(lambda self: Block(self.data.mT))

    def to(self, dtype, fp_downcast_rounding=None, bitcast=False) -> "Block":
        if bitcast:
            return Block(self.data.contiguous().view(dtype))
        if self.data.is_floating_point() and kind(dtype) == 1:
            return Block(self.data.trunc().to(dtype))
        return Block(self.data.to(dtype))

    def __getitem__(self, index) -> "Block":
        return Block(self.data[index])

    def __bool__(self) -> bool:
        return bool(self.data)

    def __index__(self) -> int:
        return int(self.data)

    __int__ = __index__

    def __float__(self) -> float:
        return float(self.data)

    def __repr__(self) -> str:
        return f"Block({self.data})"

    def __neg__(self):
        return Block(-self.data)

    def __invert__(self):
        return Block(~self.data)

    def __getattr__(self, name):
        if name.startswith("__") or name not in FUNCTIONS:
            raise AttributeError(f"a block has no {name}")
        return functools.partial(FUNCTIONS[name], self)

    __hash__ = None


for name, compute, division in (
    ("add", torch.add, False),
    ("sub", torch.sub, False),
    ("mul", torch.mul, False),
    ("truediv", true_division, True),
    ("floordiv", whole_division, True),
    ("mod", torch.fmod, True),
    ("and", torch.bitwise_and, False),
    ("or", torch.bitwise_or, False),
    ("xor", torch.bitwise_xor, False),
    ("lshift", torch.bitwise_left_shift, False),
    ("rshift", torch.bitwise_right_shift, False),
):
    operator = binary(compute, division)
    setattr(Block, f"__{name}__", operator)
    setattr(Block, f"__r{name}__", lambda a, b, operator=operator: operator(b, a))
for name in ["lt", "le", "gt", "ge", "eq", "ne"]:
    setattr(Block, f"__{name}__", binary(getattr(torch, name), result=torch.bool))


class Element:
    """The type of a pointer."""

    def __init__(self, dtype: torch.dtype):
        self.element_ty = self.scalar = dtype

    def is_ptr(self) -> bool:
        return True


class Pointer:
    """Places in a tensor's memory: one, or a block of them."""

    def __init__(self, memory: torch.Tensor, offset: torch.Tensor):
        self.memory, self.offset = memory, offset

    @classmethod
    def to_tensor(cls, tensor: torch.Tensor) -> "Pointer":
        tensor = tensor.detach()
        size = tensor.untyped_storage().nbytes() // tensor.element_size()
        memory = torch.as_strided(tensor, (size,), (1,), 0)
        return cls(memory, torch.tensor(tensor.storage_offset()))

    dtype = property(lambda self: Element(self.memory.dtype))
    type = dtype
    shape = property(lambda self: list(self.offset.shape))

    def __add__(self, other) -> "Pointer":
        return Pointer(self.memory, self.offset + raw(other).to(torch.int64))

    __radd__ = __add__

    def __sub__(self, other) -> "Pointer":
        return self + -raw(other).to(torch.int64)

    def __getitem__(self, index) -> "Pointer":
        return Pointer(self.memory, self.offset[index])

    def to(self, dtype, bitcast=False) -> "Pointer":
        if not isinstance(dtype, Element):
            return Block(self.offset).to(dtype)
        scale = self.memory.element_size() / dtype.element_ty.itemsize
        offset = (self.offset * scale).to(torch.int64)
        return Pointer(self.memory.view(dtype.element_ty), offset)

    def places(self, mask) -> tuple[torch.Tensor, torch.Tensor]:
        """Offsets, and which of them count."""
        counts = torch.ones_like(self.offset, dtype=torch.bool)
        if mask is not None:
            offset, counts = torch.broadcast_tensors(self.offset, raw(mask).to(torch.bool))
        else:
            offset = self.offset
        used = offset[counts]
        if len(used) and not 0 <= int(used.min()) <= int(used.max()) < len(self.memory):
            raise IndexError(
                f"reaches places {int(used.min())} to {int(used.max())} "
                f"of a tensor with {len(self.memory)}"
            )
        return offset, counts


class BlockPointer:
    """tl.make_block_ptr: a window on a strided tensor."""

    def __init__(self, base, shape, strides, offsets, block_shape, order=None):
        self.base, self.shape = base, [int(n) for n in shape]
        self.strides, self.offsets = [int(n) for n in strides], [int(n) for n in offsets]
        self.block_shape = [int(n) for n in block_shape]

    def advance(self, offsets) -> "BlockPointer":
        moved = [a + int(b) for a, b in zip(self.offsets, offsets, strict=True)]
        return BlockPointer(self.base, self.shape, self.strides, moved, self.block_shape)

    def window(self) -> tuple[Pointer, Block]:
        """Pointers to the window's elements, and which of them the tensor has."""
        rank = len(self.shape)
        offset, inside = torch.zeros((), dtype=torch.int64), torch.ones((), dtype=torch.bool)
        for axis, (start, size) in enumerate(zip(self.offsets, self.block_shape, strict=True)):
            index = torch.arange(start, start + size).view(
                [-1 if one == axis else 1 for one in range(rank)]
            )
            offset = offset + index * self.strides[axis]
            inside = inside & (index >= 0) & (index < self.shape[axis])
        return self.base + Block(offset), Block(inside)


class TensorDescriptor:
    """What the tensor memory accelerator is told of a tensor; out of bounds it reads zeros."""

    def __init__(self, base, shape, strides, block_shape, padding="zero"):
        self.base, self.shape, self.strides = base, list(shape), list(strides)
        self.block_shape = [int(n) for n in block_shape]

    @classmethod
    def from_tensor(cls, tensor, block_shape, padding="zero") -> "TensorDescriptor":
        return cls(tensor, tensor.shape, tensor.stride(), block_shape)

    @property
    def dtype(self) -> torch.dtype:
        return self.pointer().memory.dtype

    def pointer(self) -> Pointer:
        return self.base if isinstance(self.base, Pointer) else Pointer.to_tensor(self.base)

    def window(self, offsets) -> BlockPointer:
        return BlockPointer(self.pointer(), self.shape, self.strides, offsets, self.block_shape)

    def load(self, offsets) -> Block:
        pointer, inside = self.window(offsets).window()
        return load(pointer, inside, 0)

    def store(self, offsets, value) -> None:
        pointer, inside = self.window(offsets).window()
        store(pointer, value, inside)


PROGRAM: list[tuple[tuple, tuple]] = []  # index in the grid, and the grid


def program_id(axis) -> Block:
    return Block(torch.tensor(PROGRAM[-1][0][int(axis)], dtype=torch.int32))


def num_programs(axis) -> Block:
    return Block(torch.tensor(PROGRAM[-1][1][int(axis)], dtype=torch.int32))


def load(pointer, mask=None, other=None, boundary_check=(), padding_option="zero", **options):
    if isinstance(pointer, BlockPointer):
        pointer, inside = pointer.window()
        mask = inside if boundary_check else None
    offset, counts = pointer.places(mask)
    value = pointer.memory[torch.where(counts, offset, 0)]
    if mask is not None:
        rest = torch.as_tensor(0 if other is None else raw(other)).to(value.dtype)
        value = torch.where(counts, value, rest)
    return Block(value)


def store(pointer, value, mask=None, boundary_check=(), **options) -> None:
    if isinstance(pointer, BlockPointer):
        pointer, inside = pointer.window()
        mask = inside if boundary_check else None
    offset, counts = pointer.places(mask)
    value = raw(value).to(pointer.memory.dtype).broadcast_to(offset.shape)
    pointer.memory[offset[counts]] = value[counts]


def atomic(combine):
    """Read, combine and write; programs take turns, so nothing comes between."""

    def apply(pointer, value, mask=None, sem=None, scope=None):
        old = load(pointer, mask)
        offset, counts = pointer.places(mask)
        value = raw(value).to(pointer.memory.dtype).broadcast_to(offset.shape)
        for place, one in zip(offset[counts].tolist(), value[counts], strict=True):
            pointer.memory[place] = combine(pointer.memory[place], one)
        return old

    return apply


def atomic_cas(pointer, cmp, val, sem=None, scope=None):
    old = load(pointer)
    store(pointer, val, old == cmp)
    return old


def dot(
    input, other, acc=None, input_precision=None, allow_tf32=None, out_dtype=torch.float32, **o
):
    product = raw(input).float() @ raw(other).float()
    return Block(product if acc is None else raw(acc) + product).to(out_dtype)


def reduction(compute, widen: bool = True):
    def apply(input, axis=None, keep_dims=False, **options):
        data = raw(input)
        if widen and data.dtype in HALF:
            data = data.float()
        elif widen and kind(data.dtype) < 2 and data.dtype.itemsize < 4:
            data = data.to(torch.int32)
        axis = None if axis is None else int(axis)
        found = compute(data.flatten(), 0) if axis is None else compute(data, axis)
        if keep_dims:
            found = found.reshape([1] * data.dim()) if axis is None else found.unsqueeze(axis)
        return Block(found)

    return apply


def extreme(which: str):
    values = reduction(lambda data, axis: getattr(data, which)(axis).values)
    places = reduction(
        lambda data, axis: getattr(data, f"arg{which}")(axis).to(torch.int32), widen=False
    )

    def apply(input, axis=None, return_indices=False, keep_dims=False, **options):
        found = values(input, axis, keep_dims)
        return (found, places(input, axis, keep_dims)) if return_indices else found

    return apply, places


def fold(input, axis, combine_fn, keep_dims=False):
    """tl.reduce: neighbours combined from first to last, by a kernel's own function."""
    several = isinstance(input, tuple)
    parts = input if several else (input,)
    axis = axis if axis is None else int(axis)
    slices = [
        [Block(one) for one in (raw(p).flatten() if axis is None else raw(p)).unbind(axis or 0)]
        for p in parts
    ]
    found = tuple(one[0] for one in slices)
    for n in range(1, len(slices[0])):
        found = combine_fn(*found, *(one[n] for one in slices))
        found = found if isinstance(found, tuple) else (found,)
    if keep_dims:
        found = tuple(Block(one.data.unsqueeze(axis or 0)) for one in found)
    return found if several else found[0]


def scan(input, axis, combine_fn, reverse=False):
    """tl.associative_scan, likewise."""
    several = isinstance(input, tuple)
    parts = input if several else (input,)
    slices = [[Block(one) for one in raw(p).unbind(int(axis))] for p in parts]
    order = range(len(slices[0]))[:: -1 if reverse else 1]
    found = [tuple(one[order[0]] for one in slices)]
    for n in order[1:]:
        following = combine_fn(*found[-1], *(one[n] for one in slices))
        found.append(following if isinstance(following, tuple) else (following,))
    found = found[:: -1 if reverse else 1]
    stacked = tuple(
        Block(torch.stack([one[n].data for one in found], int(axis))) for n in range(len(parts))
    )
    return stacked if several else stacked[0]


def elementwise(compute):
    def apply(x, *others, **options):
        data = [raw(one) for one in (x, *others)]
        data = [one.float() if one.dtype in HALF or kind(one.dtype) < 2 else one for one in data]
        return Block(compute(*data))

    return apply


def choose(compute):
    """minimum and maximum."""

    def apply(x, y, propagate_nan=None):
        block = x if isinstance(x, Block) else y
        if not isinstance(block, Block):
            return compute(torch.tensor(x), torch.tensor(y)).item()
        dtype = common_type(x, y)
        dtype = torch.float32 if dtype == torch.bfloat16 else dtype
        return Block(compute(raw(x, dtype), raw(y, dtype)))

    return apply


def where(condition, x, y) -> Block:
    if isinstance(x, Block) or isinstance(y, Block):
        dtype = common_type(x, y)
    else:
        dtype = torch.float32 if isinstance(x, float) or isinstance(y, float) else torch.int32
    return Block(torch.where(raw(condition).to(torch.bool), raw(x, dtype), raw(y, dtype)))


def shape_of(shape) -> list[int]:
    shape = shape[0] if len(shape) == 1 and isinstance(shape[0], list | tuple) else shape
    return [int(n) for n in shape]


def full(shape, value, dtype) -> Block:
    return Block(raw(value).to(dtype).broadcast_to(shape_of([shape])).clone())


def softmax(x, dim=None, keep_dims=False, ieee_rounding=False) -> Block:
    return Block(raw(x).float().softmax(int(dim or 0)))


def cdiv(x, div):
    return (x + div - 1) // div


def cat(input, other, can_reorder=False, dim=0) -> Block:
    return Block(torch.cat([raw(input), raw(other)], dim))


def counted(*bounds, **options):
    """`range` whose numbers are blocks where a bound is, as in a compiled kernel."""
    steps = builtins.range(*(int(one) for one in bounds))
    if any(isinstance(one, Block) for one in bounds):
        return (Block(torch.tensor(n, dtype=torch.int32)) for n in steps)
    return iter(steps)


def nothing(*args, **kwargs) -> None:
    pass


def itself(x, *args, **kwargs):
    return x


def asserted(condition, message="") -> None:
    if not bool(raw(condition).all()):
        raise AssertionError(message)


def unknown(module: str):
    def look_up(name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotImplementedError(f"the stand-in for Triton does not know {module}.{name}")

    return look_up


MATH = {name: elementwise(getattr(torch, name)) for name in ELEMENTWISE.split()}
MATH |= {
    "rint": MATH["round"],
    "sqrt_rn": MATH["sqrt"],
    "abs": lambda x: Block(raw(x).abs()),
    "fma": lambda x, y, z: x * y + z,
    "div_rn": lambda x, y: x / y,
    "fast_expf": MATH["exp"],
    "fast_logf": MATH["log"],
}
max_of, argmax = extreme("max")
min_of, argmin = extreme("min")
FUNCTIONS = {
    **MATH,
    "program_id": program_id,
    "num_programs": num_programs,
    "load": load,
    "store": store,
    "dot": dot,
    "sum": reduction(lambda data, axis: data.sum(axis, dtype=data.dtype)),
    "max": max_of,
    "min": min_of,
    "argmax": argmax,
    "argmin": argmin,
    "xor_sum": lambda x, axis=None, keep_dims=False: fold(x, axis, lambda a, b: a ^ b, keep_dims),
    "cumsum": lambda x, axis=0, **o: Block(raw(x).cumsum(int(axis), dtype=raw(x).dtype)),
    "cumprod": lambda x, axis=0, **o: Block(raw(x).cumprod(int(axis), dtype=raw(x).dtype)),
    "sort": lambda x, dim=-1, descending=False: Block(raw(x).sort(dim, descending).values),
    "flip": lambda x, dim=-1: Block(raw(x).flip(dim)),
    "reduce": fold,
    "associative_scan": scan,
    "softmax": softmax,
    "where": where,
    "minimum": choose(torch.minimum),
    "maximum": choose(torch.maximum),
    "clamp": lambda x, min, max, **o: FUNCTIONS["minimum"](FUNCTIONS["maximum"](x, min), max),
    "cdiv": cdiv,
    "arange": lambda start, end: Block(torch.arange(int(start), int(end), dtype=torch.int32)),
    "full": full,
    "zeros": lambda shape, dtype: full(shape, 0, dtype),
    "zeros_like": lambda x: Block(torch.zeros_like(raw(x))),
    "cast": lambda x, dtype, *a, **o: Block(raw(x)).to(dtype, **o),
    "reshape": lambda x, *shape, **o: Block(raw(x).reshape(shape_of(shape))),
    "view": lambda x, *shape: Block(raw(x).reshape(shape_of(shape))),
    "ravel": lambda x, **o: Block(raw(x).flatten()),
    "permute": lambda x, *dims: Block(raw(x).permute(shape_of(dims))),
    "trans": lambda x, *dims: Block(raw(x).permute(shape_of(dims)) if dims else raw(x).mT),
    "broadcast_to": lambda x, *shape: Block(raw(x).broadcast_to(shape_of(shape))),
    "broadcast": lambda x, y: tuple(map(Block, torch.broadcast_tensors(raw(x), raw(y)))),
    "expand_dims": lambda x, axis: Block(raw(x).unsqueeze(int(axis))),
    "cat": cat,
    "join": lambda a, b: Block(torch.stack([raw(a), raw(b)], -1)),
    "split": lambda x: tuple(map(Block, raw(x).unbind(-1))),
    "interleave": lambda a, b: Block(torch.stack([raw(a), raw(b)], -1).flatten(-2)),
    "make_block_ptr": BlockPointer,
    "advance": lambda pointer, offsets: pointer.advance(offsets),
    "make_tensor_descriptor": TensorDescriptor,
    "_experimental_make_tensor_descriptor": TensorDescriptor,
    "_experimental_descriptor_load": lambda d, offsets, *a: d.load(offsets),
    "_experimental_descriptor_store": lambda d, value, offsets: d.store(offsets, value),
    "atomic_add": atomic(torch.add),
    "atomic_max": atomic(torch.maximum),
    "atomic_min": atomic(torch.minimum),
    "atomic_and": atomic(torch.bitwise_and),
    "atomic_or": atomic(torch.bitwise_or),
    "atomic_xchg": atomic(lambda old, new: new),
    "atomic_cas": atomic_cas,
    "range": counted,
    "static_range": counted,
    "static_assert": asserted,
    "device_assert": asserted,
    **dict.fromkeys(["static_print", "device_print", "debug_barrier", "assume"], nothing),
    **dict.fromkeys(
        ["multiple_of", "max_contiguous", "max_constancy", "constexpr", "const"], itself
    ),
}


class Kernel:
    """A function under triton.jit: `kernel[grid](...)` runs its programs one after another."""

    def __init__(self, function, config=None, heuristics=None):
        functools.update_wrapper(self, function)
        self.fn, self.signature = function, inspect.signature(function)
        self.config, self.heuristics = config or {}, heuristics or {}

    def __getitem__(self, grid):
        return functools.partial(self.run, grid)

    def __call__(self, *args, **kwargs):
        """From within another kernel."""
        return self.here()(*args, **kwargs)

    def here(self):
        """The function, with a `range` that counts blocks."""
        names = {"range": counted, "min": least, "max": greatest}
        there = {**self.fn.__globals__, "__builtins__": {**vars(builtins), **names}}
        here = types.FunctionType(
            self.fn.__code__,
            there,
            self.fn.__name__,
            self.fn.__defaults__,
            self.fn.__closure__,
        )
        here.__kwdefaults__ = self.fn.__kwdefaults__
        return here

    @torch.no_grad()
    def run(self, grid, *args, **kwargs) -> None:
        known = self.signature.parameters
        given = {**self.config, **kwargs}
        given = {k: v for k, v in given.items() if k in known or k not in OPTIONS}
        bound = self.signature.bind_partial(*args, **given)
        bound.apply_defaults()
        for name, rule in self.heuristics.items():
            bound.arguments[name] = rule(bound.arguments)
        grid = grid(dict(bound.arguments)) if callable(grid) else grid
        grid = (grid,) if isinstance(grid, int) else tuple(int(n) for n in grid)
        values = {
            name: value if "constexpr" in str(known[name].annotation) else argument(value)
            for name, value in bound.arguments.items()
        }
        function = self.here()
        for index in itertools.product(*map(range, grid)):
            PROGRAM.append(((*index, 0, 0), (*grid, 1, 1)))
            try:
                function(**values)
            finally:
                PROGRAM.pop()


def argument(value):
    """What a program gets for an argument that is not fixed when a kernel is compiled."""
    if isinstance(value, torch.Tensor):
        return Pointer.to_tensor(value)
    if isinstance(value, int) and not isinstance(value, bool):
        dtype = torch.int32 if -(2**31) <= value < 2**31 else torch.int64
        return Block(torch.tensor(value, dtype=dtype))
    return Block(torch.tensor(value, dtype=torch.float32)) if isinstance(value, float) else value


def least(*values):
    values = values[0] if len(values) == 1 else values
    return functools.reduce(FUNCTIONS["minimum"], values)


def greatest(*values):
    values = values[0] if len(values) == 1 else values
    return functools.reduce(FUNCTIONS["maximum"], values)


def jit(function=None, **options):
    return Kernel(function) if function is not None else Kernel


class Config:
    def __init__(self, kwargs, **options):
        self.kwargs = kwargs


def autotune(configs, key=(), **options):
    """The first configuration: all compute the same."""
    return lambda kernel: Kernel(kernel.fn, configs[0].kwargs, kernel.heuristics)


def heuristics(values):
    return lambda kernel: Kernel(kernel.fn, kernel.config, values)


def modules() -> dict[str, types.ModuleType]:
    """`triton` and its modules that scripts import."""
    names = MODULES.split()
    made = {name: types.ModuleType(name) for name in names}
    for name, module in made.items():
        module.__path__, module.__getattr__ = [], unknown(name)
        above, _, last = name.rpartition(".")
        if above:
            setattr(made[above], last, module)
    language = made["triton.language"]
    vars(language).update(FUNCTIONS)
    dtypes = {
        f"{kind}{bits}": getattr(torch, f"{kind}{bits}")
        for kind, sizes in (
            ("int", (8, 16, 32, 64)),
            ("uint", (8, 16, 32, 64)),
            ("float", (32, 64)),
        )
        for bits in sizes
    }
    dtypes |= {"float16": torch.float16, "bfloat16": torch.bfloat16, "int1": torch.bool}
    dtypes |= {"float8e4nv": torch.float8_e4m3fn, "float8e5": torch.float8_e5m2}
    vars(language).update(dtypes, tensor=Block, dtype=torch.dtype, pointer_type=Element)
    for name in names:
        if name.endswith(("math", "libdevice")):
            vars(made[name]).update(MATH)
    made["triton.tools.tensor_descriptor"].TensorDescriptor = TensorDescriptor
    vars(made["triton"]).update(
        __version__="3.0.0",
        jit=jit,
        autotune=autotune,
        heuristics=heuristics,
        Config=Config,
        cdiv=cdiv,
        next_power_of_2=lambda n: 1 << max(0, n - 1).bit_length(),
        set_allocator=nothing,
        JITFunction=Kernel,
    )
    return made
