"""Writing files so that nothing is half-written and nothing of a user's is lost."""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pgolf_compose.errors import ComposeError
from pgolf_compose.pack import is_ours

__all__ = ["write_files"]


def write_files(files: Mapping[Path, bytes], force: bool = False) -> None:
    """Write all files or none; one that is not ours is replaced only with `force`."""
    for path in files:
        check_writable(path, force)
    with contextlib.ExitStack() as stack:
        waiting = [(path, stage(path, data, stack)) for path, data in files.items()]
        for path, temporary in waiting:
            os.replace(temporary, path)


def check_writable(path: Path, force: bool) -> None:
    if path.is_dir():
        raise ComposeError("is a folder; name a file to write", path)
    if not force and path.exists() and not replaceable(path):
        raise ComposeError(
            "was not written by pgolf-compose and stays as it is; "
            "name another output with -o, or replace it with --force",
            path,
        )


def replaceable(path: Path) -> bool:
    """Whether its beginning carries our mark; an empty file loses nothing."""
    with path.open("rb") as file:
        start = file.read(600)
    return not start or is_ours(start.decode("utf-8", "replace"))


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
