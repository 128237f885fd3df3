"""Tracks: a competition's limits. Each is a YAML file beside this one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    processes: int = 1  # that a run has
    seeds: int = 3  # runs that a result stands on
    pulls: str = ""  # the address below which its pull requests lie
    folder: str = ""  # below records/, where its submissions lie
    record: bool = False  # whether its results stand on a leaderboard
    rules: Mapping[str, str] = field(default_factory=dict)  # by id; from rules/<name>.yaml


def read_tracks(folder: Path) -> list[Track]:
    """Every track of a folder of YAML files, named for its file."""
    tracks = []
    for path in sorted(folder.glob("*.yaml")):
        document = read_yaml(path)
        data = dict(document.data)
        if isinstance(rules := data.get("rules"), str):
            data["rules"] = read_yaml(folder / "rules" / f"{rules}.yaml").data
        try:
            tracks.append(Track(name=path.stem, **data))
        except TypeError as error:
            raise ComposeError(f"not a track: {error}", document.where()) from None
    return tracks
