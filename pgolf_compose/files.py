"""Writing files so that nothing is half-written and nothing of a user's is lost."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pgolf_compose.errors import ComposeError
from pgolf_compose.pack import is_ours

__all__ = ["Copy", "read_text", "sha256", "write_files"]

LARGEST = 4_000_000  # bytes of a text that a person writes
FOREIGN = (
    "was not written by pgolf-compose and stays as it is; "
    "name another output with -o, or replace it with --force"
)


@dataclass(frozen=True)
class Copy:
    """A file to copy byte for byte, however large; `sha256` is of what was read of it."""

    source: Path
    sha256: str


def sha256(data: bytes | Path) -> str:
    """Of bytes, or of a file of any size."""
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    with data.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_text(path: Path) -> str:
    """A text of a person's that is to be kept, its line ends as they are."""
    try:
        if path.stat().st_size > LARGEST:
            raise ComposeError(f"is no text: it has more than {LARGEST:,} bytes", path)
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise ComposeError("is not UTF-8; save it so, or move it away", path) from None
    except OSError as error:
        raise ComposeError(f"cannot be read: {error.strerror}", path) from None


def write_files(
    files: Mapping[Path, bytes | Copy], force: bool = False, ours: Collection[Path] = ()
) -> None:
    """Write all files or none. One that is not ours is replaced only with `force`.

    Ours is what begins with our mark, what is named in `ours`, and what would not change. All data
    is on the disk before the first name changes; a failure or an interrupt between two names puts
    the first one back. Only a machine that stops there leaves some new and some old, each whole.
    """
    with contextlib.ExitStack() as stack:
        try:
            # a link stays one: what it points to is replaced
            new = [
                (path.resolve(), data)
                for path, data in files.items()
                if not settled(path, data, force or path in ours)
            ]
        except OSError as error:
            path = Path(error.filename) if error.filename else next(iter(files))
            raise ComposeError(f"cannot be written: {error.strerror}", path) from None
        put_in_place([(path, stage(path, data, stack)) for path, data in new])
        stack.pop_all()  # all is well: made folders stay


def settled(path: Path, data: bytes | Copy, replace: bool) -> bool:
    """Whether a file holds the data already; refuses to replace what is not ours."""
    if blocking := next((one for one in path.parents if one.is_file()), None):
        raise ComposeError("is a file; name a folder to write to with -o", blocking)
    if not path.exists():
        return False
    if not path.is_file():
        raise ComposeError("is no file; name one to write", path)
    if same(path, data):
        return True
    with path.open("rb") as file:
        start = file.read(1000)
    if start and not replace and not is_ours(start.decode("utf-8", "replace")):
        raise ComposeError(FOREIGN, path)
    return False


def same(path: Path, data: bytes | Copy) -> bool:
    if isinstance(data, Copy):
        return sha256(path) == data.sha256
    return path.stat().st_size == len(data) and path.read_bytes() == data


def stage(path: Path, data: bytes | Copy, stack: contextlib.ExitStack) -> str:
    """The data in a temporary file beside its destination, gone again if anything fails."""
    try:
        make_folders(path.parent, stack)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}."[:100])
        stack.callback(lambda: Path(temporary).unlink(missing_ok=True))
        with os.fdopen(handle, "wb") as file:
            if isinstance(data, bytes):
                file.write(data)
            else:
                with data.source.open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)
        os.chmod(temporary, path.stat().st_mode if path.exists() else 0o666 & ~umask())
    except OSError as error:
        raise ComposeError(f"cannot be written: {error.strerror}", path) from None
    if isinstance(data, Copy) and sha256(Path(temporary)) != data.sha256:
        raise ComposeError("changed while it was read; wait until its run has ended", data.source)
    return temporary


def make_folders(folder: Path, stack: contextlib.ExitStack) -> None:
    """A folder with all above it; those that were not there go again if anything fails."""
    for one in reversed([folder, *folder.parents]):
        if not one.is_dir():
            one.mkdir()
            stack.callback(lambda one=one: remove_empty(one))


def remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody else put something there
        folder.rmdir()


def put_in_place(waiting: list[tuple[Path, str]]) -> None:
    """Give each temporary file its name; what had it comes back if one of them fails."""
    with contextlib.ExitStack() as done, contextlib.ExitStack() as undo:
        for path, temporary in waiting:
            try:
                if path.exists():
                    kept = second_name(path, done)
                    undo.callback(os.replace, kept, path)
                else:
                    undo.callback(path.unlink, missing_ok=True)
                os.replace(temporary, path)
            except OSError as error:
                raise ComposeError(f"cannot be written: {error.strerror}", path) from None
        undo.pop_all()


def second_name(path: Path, done: contextlib.ExitStack) -> Path:
    """Another name beside a file's own, for as long as the file may have to come back."""
    kept = Path(tempfile.mkdtemp(dir=path.parent, prefix=".kept."), path.name)
    done.callback(shutil.rmtree, kept.parent, ignore_errors=True)
    try:
        os.link(path, kept)
    except OSError:  # a file system without links
        shutil.copy2(path, kept)
    return kept


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
