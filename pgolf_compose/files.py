"""Writing files so that nothing is half-written and nothing of a user's is lost."""

import contextlib
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from pgolf_compose.errors import ComposeError
from pgolf_compose.pack import is_ours

__all__ = ["write_files"]


def write_files(
    files: Mapping[Path, bytes], force: bool = False, ours: Collection[Path] = ()
) -> None:
    """Write all files or none. One that is not ours is replaced only with `force`.

    Ours is what begins with our mark, what is named in `ours`, and what would not change.
    """
    for path, data in files.items():
        try:
            check_writable(path, data, force or path in ours)
        except OSError as error:
            raise ComposeError(f"cannot be written: {error.strerror}", path) from None
    with contextlib.ExitStack() as stack:
        # a link stays one: what it points to is replaced
        real = [(path.resolve(), data) for path, data in files.items()]
        waiting = [(path, stage(path, data, stack)) for path, data in real]
        for path, temporary in waiting:
            os.replace(temporary, path)


def check_writable(path: Path, data: bytes, replace: bool) -> None:
    if blocking := next((one for one in path.parents if one.is_file()), None):
        raise ComposeError("is a file; name a folder to write to with -o", blocking)
    if path.exists() and not path.is_file():
        raise ComposeError("is no file; name one to write", path)
    if replace or not path.exists():
        return
    there = path.read_bytes()
    if there and there != data and not is_ours(there[:1000].decode("utf-8", "replace")):
        raise ComposeError(
            "was not written by pgolf-compose and stays as it is; "
            "name another output with -o, or replace it with --force",
            path,
        )


def stage(path: Path, data: bytes, stack: contextlib.ExitStack) -> str:
    """The data in a temporary file beside its destination, gone again if anything fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        stack.callback(lambda: Path(temporary).unlink(missing_ok=True))
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, path.stat().st_mode if path.exists() else 0o666 & ~umask())
    except OSError as error:
        raise ComposeError(f"cannot be written: {error.strerror}", path) from None
    return temporary


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
