"""Count a script's parameters without torch, by building its model from stand-ins with shapes.

The class that the host names is built as the script builds it, `GPT(Hyperparameters())`, with
`torch` replaced by objects that know nothing but shapes. Whatever they cannot say raises `Unknown`:
no count is better than a wrong one.
"""

import ast
import builtins
import math
import types

from pgolf_compose.script import Script

__all__ = ["Tensor", "Unknown", "built", "parameter_shapes"]


class Unknown(Exception):
    """The model uses something whose parameters cannot be told without torch."""


def parameter_shapes(script: Script, name: str = "GPT") -> dict[str, tuple[int, ...]]:
    """Every parameter's shape by its state_dict name, in the order of registration."""
    _, model = built(script, name)
    return {name: value.shape for name, value in model.named_parameters()}


def built(script: Script, name: str = "GPT") -> tuple[dict, "Module"]:
    """The script's names, run on stand-ins, and its model, of the class called `name`."""
    wanted = (ast.ClassDef, ast.FunctionDef, ast.Import, ast.ImportFrom, ast.Assign)
    kept = [node for node in script.tree.body if isinstance(node, wanted)]
    code = compile(ast.Module(kept, []), script.name, "exec", dont_inherit=True)
    builtin = {**vars(builtins), "__import__": importer, "print": lambda *args, **kwargs: None}
    space = {"__name__": "counted", "__file__": script.name, "__builtins__": builtin}
    try:
        exec(code, space)
        return space, space[name](space["Hyperparameters"]())
    except (Exception, SystemExit) as error:
        raise Unknown(f"{type(error).__name__}: {error}") from None


def importer(name, globals=None, locals=None, fromlist=(), level=0):
    """The standard library as it is, but for `os`; everything else is a stand-in."""
    top = name.partition(".")[0]
    if top == "os":
        return types.SimpleNamespace(environ={}, path=__import__("os").path)
    if top == "torch":
        return torch if not fromlist else {"torch": torch, "torch.nn": nn}.get(name, anything)
    if top in ("math", "pathlib", "time", "functools", "collections", "itertools", "dataclasses"):
        return __import__(name, globals, locals, fromlist, level)
    return anything


class Anything:
    """Stands for a value that no shape depends on; any use that would tell its size raises."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args, **kwargs):
        # a decorator hands its function back
        if len(args) == 1 and not kwargs and isinstance(args[0], types.FunctionType | type):
            return args[0]
        return self

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return False

    def __mro_entries__(self, bases):
        return (object,)

    def __or__(self, *others):
        return self

    __ror__ = __getitem__ = __neg__ = __add__ = __radd__ = __sub__ = __rsub__ = __or__
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __matmul__ = __or__

    def refuse(self, *args):
        raise Unknown("a size depends on a value that only torch can compute")

    __bool__ = __len__ = __iter__ = __int__ = __float__ = __index__ = refuse


class Kind(Anything):
    """A type of numbers: what one takes."""

    def __init__(self, itemsize: int):
        self.itemsize = itemsize


class Tensor:
    """A shape. Arithmetic in place and element by element keeps it."""

    def __init__(self, shape, data=None):
        self.shape = tuple(int(n) for n in shape)
        self.requires_grad = True

    def same(self, *args, **kwargs) -> "Tensor":
        return self

    def numel(self) -> int:
        return math.prod(self.shape)

    def size(self, dim=None):
        return self.shape if dim is None else self.shape[dim]

    dim = property(lambda self: lambda: len(self.shape))
    ndim = property(lambda self: len(self.shape))
    data = property(lambda self: self)
    device = dtype = property(lambda self: anything)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> Anything:
        return anything

    def __setitem__(self, index, value) -> None:
        pass

    def __getattr__(self, name):
        # in-place methods, conversions and copies keep the shape; nothing else is known
        keeps = ("to", "float", "half", "bfloat16", "double", "clone", "detach", "contiguous")
        if (name.endswith("_") and not name.startswith("__")) or name in keeps:
            return self.same
        raise Unknown(f"the shape after Tensor.{name}")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = same
    __truediv__ = __rtruediv__ = __pow__ = __imul__ = __iadd__ = same


def filled(*size, **kwargs) -> Tensor:
    size = size or (kwargs["size"],)
    return Tensor(size[0] if isinstance(size[0], tuple | list) else size)


def full(size, fill_value, **kwargs) -> Tensor:
    return Tensor(size)


def like(tensor, *args, **kwargs) -> Tensor:
    return Tensor(tensor.shape)


def stack(tensors, dim=0, **kwargs) -> Tensor:
    if dim:
        raise Unknown("stack along another dimension")
    return Tensor((len(tensors), *tensors[0].shape))


def tensor(values, **kwargs) -> Tensor:
    shape = []
    while isinstance(values, list | tuple):
        shape.append(len(values))
        values = values[0] if values else None
    return Tensor(shape)


def parameter(data=None, requires_grad=True) -> "Parameter":
    return Parameter(data.shape)


class Parameter(Tensor):
    """A tensor that its module registers."""


class Module:
    def __init__(self, *args, **kwargs):
        pass

    def __getattr__(self, name):
        if name in ("apply", "train", "eval", "to", "register_buffer", "bfloat16", "float"):
            return lambda *args, **kwargs: self
        raise AttributeError(name)

    def children(self):
        return ((k, v) for k, v in vars(self).items() if isinstance(v, Module))

    def named_modules(self, prefix=""):
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self):
        return (module for _, module in self.named_modules())

    def named_parameters(self, recurse=True):
        """Each parameter once, however many modules share it."""
        seen = set()
        for prefix, module in self.named_modules() if recurse else [("", self)]:
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}" if prefix else name, value

    def parameters(self, recurse=True):
        return (value for _, value in self.named_parameters(recurse))


class Linear(Module):
    def __init__(self, in_features, out_features, bias=True, **kwargs):
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter((out_features, in_features))
        self.bias = Parameter((out_features,)) if bias else None


class Embedding(Module):
    def __init__(self, num_embeddings, embedding_dim, *args, **kwargs):
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Parameter((num_embeddings, embedding_dim))


class ModuleList(Module):
    def __init__(self, modules=()):
        for number, module in enumerate(modules):
            setattr(self, str(number), module)

    def append(self, module):
        setattr(self, str(len(self)), module)

    def __len__(self):
        return len(vars(self))

    def __iter__(self):
        return iter(list(vars(self).values()))

    def __getitem__(self, index):
        return list(self)[index]


class ParameterList(ModuleList):
    pass


class ModuleDict(Module):
    def __init__(self, modules=()):
        for name, module in dict(modules).items():
            setattr(self, name, module)

    __setitem__ = setattr

    def __getitem__(self, name):
        return vars(self)[name]


class Namespace:
    """A module of torch: what is listed here, and values without shape for the rest."""

    def __init__(self, rest: object, **known):
        vars(self).update(known)
        self.rest = rest

    def __getattr__(self, name):
        if self.rest is None:
            raise Unknown(f"nn.{name}")
        return anything


anything = Anything()
nn = Namespace(
    None,
    Module=Module,
    Parameter=parameter,
    Linear=Linear,
    Embedding=Embedding,
    ModuleList=ModuleList,
    ModuleDict=ModuleDict,
    ParameterList=ParameterList,
    Identity=Module,
    init=anything,
    functional=anything,
    utils=anything,
)
torch = Namespace(
    anything,
    nn=nn,
    Tensor=Tensor,
    **dict.fromkeys(("zeros", "ones", "empty", "rand", "randn"), filled),
    **dict.fromkeys(("zeros_like", "ones_like", "empty_like", "rand_like", "full_like"), like),
    **dict.fromkeys(("float16", "bfloat16"), Kind(2)),
    float32=Kind(4),
    cuda=Namespace(anything, is_available=lambda: False),
    full=full,
    stack=stack,
    tensor=tensor,
)
