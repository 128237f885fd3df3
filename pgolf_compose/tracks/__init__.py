"""Tracks: a competition's limits. Each is a YAML file beside this one."""

from dataclasses import dataclass
from pathlib import Path

from pgolf_compose.errors import ComposeError
from pgolf_compose.yaml_file import read_yaml

__all__ = ["Track", "read_tracks"]


@dataclass(frozen=True)
class Track:
    """A competition and its limits; a limit of None is not set."""

    name: str
    summary: str
    host: str = "train_gpt"
    artifact_bytes: int | None = None  # script and compressed model together
    train_seconds: float | None = None
    eval_seconds: float | None = None
    hardware: str = ""
    folder: str = ""  # below records/, where its submissions lie


def read_tracks(folder: Path) -> list[Track]:
    """Every track of a folder of YAML files, named for its file."""
    tracks = []
    for path in sorted(folder.glob("*.yaml")):
        document = read_yaml(path)
        try:
            tracks.append(Track(name=path.stem, **document.data))
        except TypeError as error:
            raise ComposeError(f"not a track: {error}", document.where()) from None
    return tracks
