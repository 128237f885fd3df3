"""What an audit looks at: a folder's files, read once, within bounds, nothing of it executed.

A folder may be a stranger's. Links are not followed, pipes and devices are not opened, and of
each file no more is read than a text of its kind can have.
"""

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath

from pgolf_compose.audit.finding import Place
from pgolf_compose.audit.markdown import Readme, read_markdown
from pgolf_compose.audit.scripts import Script, Sibling, closure, read_script
from pgolf_compose.errors import ComposeError
from pgolf_compose.folders import Folder, distinct, read_folder
from pgolf_compose.json_file import JsonFile, read_json
from pgolf_compose.logs import Log, find_logs, read_log
from pgolf_compose.plugins import Library
from pgolf_compose.tracks import Track

__all__ = ["Audited", "Entry", "look_at"]

MOST = 2_000  # files
DEPTH = 6
TEXT = 1 << 20  # bytes of a README that are read
FIGURES = 600_000  # different numbers of all logs together that are kept
SOURCE = 2_000_000  # bytes that a script may have
ABOUT, README = "submission.json", "README.md"


@dataclass(frozen=True)
class Entry:
    """One thing in a folder: `kind` is file, link, folder or special (a pipe, a device)."""

    name: str  # within the folder, with slashes
    kind: str
    size: int
    path: Path
    leads: str = ""  # where a link points


@dataclass(frozen=True)
class Audited:
    """A folder, and whatever about it several checks want."""

    path: Path
    entries: dict[str, Entry]
    library: Library
    track: Track | None
    track_from: str  # how the track was found
    recompose: bool = False  # whether techniques of the folder may be imported
    cut: bool = False  # more files than are looked at
    plugins: tuple[Path, ...] = ()  # folders of techniques that the library has beside ours
    cache: dict = field(default_factory=dict, compare=False)

    @property
    def files(self) -> dict[str, Entry]:
        return {name: one for name, one in self.entries.items() if one.kind == "file"}

    def read(self, name: str, most: int = SOURCE) -> bytes:
        """The first bytes of a file; nothing for what is missing, no file or unreadable."""
        if ("bytes", name) not in self.cache:
            data = b""
            if name in self.files:
                try:
                    data = read_regular(self.files[name].path, most)
                except OSError:
                    data = b""
            self.cache["bytes", name] = data
        return self.cache["bytes", name]

    def unreadable(self, name: str) -> str:
        """Why a file cannot be read, or nothing."""
        try:
            os.close(os.open(self.files[name].path, os.O_RDONLY | NO_FOLLOW))
        except OSError as error:
            return error.strerror or str(error)
        return ""

    @property
    def about(self) -> JsonFile | None:
        """submission.json, or None where there is none that can be read."""
        return self.about_or_error if isinstance(self.about_or_error, JsonFile) else None

    @cached_property
    def about_or_error(self) -> JsonFile | ComposeError | None:
        if ABOUT not in self.files:
            return None
        try:
            return read_json(self.files[ABOUT].path)
        except ComposeError as error:
            return error

    def about_at(self, *keys: str) -> Place:
        """Where submission.json has a key, or the nearest thing around it."""
        lines = self.about.lines if self.about else {}
        while keys and ".".join(keys) not in lines:
            keys = keys[:-1]
        return Place(ABOUT, lines.get(".".join(keys), 1))

    @property
    def values(self) -> dict:
        """What submission.json says; empty where it is no mapping."""
        value = self.about.data if self.about else None
        return value if isinstance(value, dict) else {}

    @property
    def ours(self) -> bool:
        """Whether pgolf-compose says to have made it."""
        return isinstance(self.values.get("built_with"), dict)

    @cached_property
    def readme(self) -> Readme | None:
        name = next((one for one in self.files if one.lower() == README.lower()), "")
        if not name or not self.read(name).strip():
            return None
        return read_markdown(name, self.read(name)[:TEXT], self.files[name].size > TEXT)

    @cached_property
    def main(self) -> str:
        """The name that the track's scripts have: train_gpt.py."""
        host = self.library.hosts.get(self.track.host if self.track else Track.host)
        return f"{host.script if host else Track.host}.py"

    @property
    def human(self) -> str:
        """The name of its readable twin."""
        return f"{self.main.removesuffix('.py')}_human.py"

    @cached_property
    def entry(self) -> str:
        """The script that is run: the track's, or the only one that could be meant."""
        own = [name for name in self.files if name.endswith(".py") and "/" not in name]
        scripts = [name for name in own if name != self.human]
        if self.main in scripts or not scripts:
            return self.main if scripts else ""
        likely = [name for name in scripts if name.startswith("train")]
        return likely[0] if len(likely) == 1 else scripts[0] if len(scripts) == 1 else ""

    @cached_property
    def script(self) -> Script | None:
        """The entry script, unpacked."""
        return self.opened(self.entry) if self.entry else None

    def opened(self, name: str) -> Script:
        if ("script", name) not in self.cache:
            whole = self.files[name].size <= SOURCE
            self.cache["script", name] = read_script(name, self.read(name, SOURCE), whole)
        return self.cache["script", name]

    @cached_property
    def siblings(self) -> tuple[Sibling, ...]:
        """Every file of the folder that the entry script reaches."""
        if not self.entry:
            return ()
        return closure(self.entry, {*self.files}, self.opened)

    @cached_property
    def folder(self) -> Folder | None:
        """Json and logs, as `results` reads them; None where they cannot be."""
        if self.about is None and ABOUT in self.entries:
            return None
        try:
            return read_folder(self.path, links=False)
        except ComposeError:
            return None

    @cached_property
    def logs(self) -> tuple[Log, ...]:
        if self.folder is not None:
            return self.folder.logs
        return tuple(self.each_log())

    @cached_property
    def runs(self) -> tuple[Log, ...]:
        """The logs, one of each run where several tell the same."""
        return tuple(distinct(self.logs))

    def each_log(self) -> Iterator[Log]:
        """Logs where there is no submission.json that can be read with them."""
        for path in find_logs(self.path, links=False):
            try:
                yield read_log(path)
            except ComposeError:
                continue

    def name_of(self, path: Path) -> str:
        """A path's name within the folder."""
        try:
            return path.relative_to(self.path).as_posix()
        except ValueError:
            return path.name

    def at(self, log: Log, line: int = 0) -> Place:
        return Place(self.name_of(log.path), line)

    def where(self, log: Log, value: float | None) -> Place:
        """The last line of a log that has a number; the log alone if none has."""
        return self.at(log, self.figures(log).get(abs(value), 0) if value is not None else 0)

    def figures(self, log: Log) -> dict[float, int]:
        """The numbers of a log without their signs, and the last line of each.

        Of a log with more than its share of FIGURES the first ones, and the results.
        """
        key = ("figures", log.path)
        if key not in self.cache:
            wanted = {log.bytes_total, log.bytes_code, log.bytes_model, log.train_ms}
            wanted |= {score.seconds and score.seconds * 1000 for score in log.scores}
            found: dict[float, int] = {}
            for one in log.figures():
                value = abs(float(one.value))
                if value in found or len(found) < self.share or value in wanted:
                    found[value] = one.line
            self.cache[key] = found
        return self.cache[key]

    @property
    def share(self) -> int:
        """How many different numbers of each log are kept."""
        return FIGURES // max(1, len(self.logs))


NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def read_regular(path: Path, most: int) -> bytes:
    """Bytes of a file that is one also at the moment of opening it."""
    handle = os.open(path, os.O_RDONLY | NO_FOLLOW)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return b""
        return file.read(most)


def look_at(
    path: Path,
    library: Library,
    track: Track | None = None,
    recompose: bool = False,
    plugins: Sequence[Path] = (),
) -> Audited:
    """Raises ComposeError for what is no folder."""
    if not path.exists():
        raise ComposeError("there is no such folder", path)
    if not path.is_dir():
        raise ComposeError("audit takes a submission's folder", path)
    entries, cut = listing(path)
    found = Audited(path, entries, library, None, "", recompose, cut, tuple(plugins))
    track, told = (track, "--track") if track else find_track(found, library)
    return replace(found, track=track, track_from=told, cache={})


def listing(root: Path) -> tuple[dict[str, Entry], bool]:
    """What is below a folder by name, and whether there is more than is looked at."""
    found: dict[str, Entry] = {}
    waiting, cut = [(root, "", 0)], False
    while waiting:
        folder, prefix, depth = waiting.pop(0)
        try:
            with os.scandir(folder) as there:
                here = sorted(there, key=lambda one: one.name)
        except OSError as error:
            if not prefix:
                raise ComposeError(f"cannot be read: {error.strerror}", folder) from None
            continue
        for one in here:
            if len(found) >= MOST:
                return found, True
            entry = look(one, prefix)
            found[entry.name] = entry
            if entry.kind == "folder" and one.name not in (".git", "__pycache__"):
                if depth < DEPTH:
                    waiting.append((Path(one.path), f"{entry.name}/", depth + 1))
                else:
                    cut = True
    return found, cut


def look(one: os.DirEntry, prefix: str) -> Entry:
    name, path = prefix + one.name, Path(one.path)
    try:
        state = one.stat(follow_symlinks=False)
    except OSError:
        return Entry(name, "special", 0, path)
    if stat.S_ISLNK(state.st_mode):
        return Entry(name, "link", 0, path, os.readlink(path))
    if stat.S_ISDIR(state.st_mode):
        return Entry(name, "folder", 0, path)
    kind = "file" if stat.S_ISREG(state.st_mode) else "special"
    return Entry(name, kind, state.st_size, path)


def find_track(audited: Audited, library: Library) -> tuple[Track | None, str]:
    """By the folder that it lies in, else by what the json says."""
    place = audited.path.resolve()
    for one in library.tracks.values():
        if lies_in(place, one):
            return one, "the folder lies where the track's do"
    said = audited.values.get("track")
    for one in library.tracks.values():
        if isinstance(said, str) and one.called(said):
            return one, f"{audited.about_at('track')} says so"
    return None, ""


def lies_in(place: Path, track: Track) -> bool:
    """Whether a folder lies where the track's layout has it, from the part with its name on."""
    wanted = PurePath(track.layout).parts
    named = next((n for n, part in enumerate(wanted) if "{track}" in part), len(wanted))
    names = place.parts[named - len(wanted) :]
    if named == len(wanted) or len(names) < len(wanted) - named:
        return False
    return all(
        fnmatch.fnmatchcase(name, part.format(track=track.folder or track.name, date="*", name="*"))
        for name, part in zip(names, wanted[named:], strict=True)
        if "{track}" in part
    )
