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
    folder: str = ""  # `{track}` of the layout, where that is not the name
    layout: str = "records/{track}/{date}_{name}"  # a submission's folder below the root
    record: bool = False  # whether its results stand on a leaderboard
    rules: Mapping[str, str] = field(default_factory=dict)  # by id; from rules/<name>.yaml
    leaderboard: Path | None = None  # a file of rows; leaderboards/<name>.yaml
    policies: Path | None = None  # a folder, a file for each; policies/<name>/
    spellings: tuple[str, ...] = ()  # other names of it in submission.json

    def submission_folder(self, root: Path, date: str, name: str) -> Path:
        """Where a submission lies, or is to lie, below the root of the contest's repository."""
        return root / self.layout.format(track=self.folder or self.name, date=date, name=name)

    def called(self, word: str) -> bool:
        """Whether a submission that names this track would mean it."""
        return bool(word) and word in (self.name, self.folder, *self.spellings)


def read_tracks(folder: Path) -> list[Track]:
    """Every track of a folder of YAML files, named for its file.

    `rules`, `leaderboard` and `policies` name what lies in folders of these names beside it.
    """
    tracks = []
    for path in sorted(folder.glob("*.yaml")):
        document = read_yaml(path)
        data = dict(document.data)
        if isinstance(rules := data.get("rules"), str):
            data["rules"] = read_yaml(folder / "rules" / f"{rules}.yaml").data
        for key, below in (("leaderboard", "leaderboards/{}.yaml"), ("policies", "policies/{}")):
            if isinstance(name := data.get(key), str):
                data[key] = folder / below.format(name)
                if not data[key].exists():
                    raise ComposeError(f"there is no {data[key].name} there", document.where(key))
        data["spellings"] = tuple(data.get("spellings", ()))
        try:
            tracks.append(Track(name=path.stem, **data))
        except TypeError as error:
            raise ComposeError(f"not a track: {error}", document.where()) from None
    return tracks
