"""Execute a script as `python SCRIPT` would, with the stand-ins and a recorder in place."""

import __future__

import builtins
import contextlib
import functools
import itertools
import linecache
import operator
import os
import random
import sys
import sysconfig
import traceback
import types
from pathlib import Path

__all__ = ["is_own", "main"]

HERE = str(Path(__file__).parent)
LIBRARIES = tuple(
    {
        HERE,
        "<frozen",
        "<__array_function__",
        *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
        *(str(Path(path)) for path in sys.path if "-packages" in path),
    }
)

# `exec` inherits these from the code that calls it
FUTURE = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)


@functools.cache
def is_own(filename: str) -> bool:
    """Whether a frame's file is the script, or something that it brought along or executed."""
    return not filename.startswith(LIBRARIES)


def limit(memory: int, file_size: int = 8 << 30) -> None:
    """Bytes that this process and what it starts may take."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    for what, size in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, file_size)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (size, size))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def executing(folder: Path) -> None:
    """Source that a script unpacks and executes has lines: in tracebacks, and in a file."""
    execute, number = builtins.exec, itertools.count(1)

    def keep(source: str | bytes) -> str:
        text = source if isinstance(source, str) else source.decode("utf-8")
        filename = str(folder / f"unpacked-{next(number)}.py")
        Path(filename).write_text(text, encoding="utf-8")
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        return filename

    def exec_here(source, globals=None, locals=None, /, **kwargs):
        frame = sys._getframe(1)
        if globals is None:
            globals = frame.f_globals
            locals = frame.f_locals if locals is None else locals
        if isinstance(source, str | bytes):
            filename, flags = "<string>", frame.f_code.co_flags & FUTURE
            if is_own(frame.f_code.co_filename):
                filename = keep(source)
            source = compile(source, filename, "exec", flags, dont_inherit=True)
        if locals is None:
            return execute(source, globals, **kwargs)
        return execute(source, globals, locals, **kwargs)

    builtins.exec = exec_here


def own_line(error: BaseException) -> tuple[int | None, str, str]:
    """Number, file and text of the script's line that an error passed last."""
    if isinstance(error, SyntaxError) and error.lineno and is_own(error.filename or ""):
        return error.lineno, str(error.filename), (error.text or "").strip()
    frames = [one for one in traceback.extract_tb(error.__traceback__) if is_own(one.filename)]
    if not frames:
        return None, "", ""
    return frames[-1].lineno, frames[-1].filename, (frames[-1].line or "").strip()


def main(asked: dict) -> int:
    """Run `asked["script"]`; the record goes to `asked["events"]`, line by line."""
    limit(asked["memory"])
    script = Path(asked["script"])
    from pgolf_compose.standins.recorder import Recorder, TooLarge

    recorder, leave = Recorder(asked), os._exit
    try:
        status = execute(script, recorder)
    except SystemExit as stopped:
        status = stopped.code
        if not isinstance(status, int | None):
            print(status, file=sys.stderr)
            status = 1
        status = status or 0
    except BaseException as error:
        status = 1
        told = error
        while told.__cause__ is not None and not isinstance(told, SyntaxError):
            told = told.__cause__
        line, file, text = own_line(told)
        message = traceback.format_exception_only(told)[-1].strip()
        if isinstance(told, SyntaxError) and sys.version_info < (3, 12) and "f-string" in message:
            message += ", which Python 3.12 may read and this one does not"
        if isinstance(told, TooLarge):
            message, line = str(told), None
        recorder.failed(message, line, file, text)
        traceback.print_exc()
    recorder.ended(status)
    os._exit = leave
    sys.stdout.flush(), sys.stderr.flush()
    return status


def execute(script: Path, recorder) -> int:
    import numpy as np
    import torch
    import torch._dynamo
    import torch._inductor.config
    import torch.distributed
    import torch.library
    import torch.nn.attention.flex_attention
    import torch.utils.checkpoint
    import torch.utils.data  # before anything is replaced, torch's own modules are loaded

    from pgolf_compose.standins import compiling, cuda, distributed, packages

    torch.set_num_threads(1)
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    for part in (cuda, distributed, compiling, packages):
        part.install()
    executing(recorder.folder)
    recorder.watch()
    sys.argv = [str(script)]
    sys.path[0] = str(script.parent)
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    module.__file__, module.__builtins__ = str(script), builtins
    exec_source = compile(script.read_bytes(), str(script), "exec", dont_inherit=True)
    recorder.begins()
    exec(exec_source, module.__dict__)
    return 0
