"""A recipe: which techniques, with which settings. Read from YAML, through `extends`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pgolf_compose._bundled import ROOT
from pgolf_compose.errors import ComposeError, did_you_mean, listed
from pgolf_compose.yaml_file import Document, read_yaml

__all__ = ["Recipe", "Setting", "bundled_recipes", "find_recipe", "read_recipe"]

RECIPES = ROOT / "recipes"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
DATA_SETTINGS = ("vocab_size", "data_path", "tokenizer_path")  # what a dataset sets
SUBMISSION = ("name", "pr", "val_bpb", "author", "github_id", "blurb", "date", "seeds")


@dataclass(frozen=True)
class Setting:
    """A value that somebody wrote, and where: a file's line, or the command line."""

    value: object
    where: object


@dataclass(frozen=True)
class Recipe:
    """A recipe with all it extends merged in.

    `techniques` maps a technique to its settings, `chosen` to where it was asked for. `parent`
    is the recipe it extends, for telling what changed.
    """

    name: str
    path: Path | None = None
    track: Setting = Setting("10min_16mb", "default")
    data: Setting | None = None
    plugins: tuple[Path, ...] = ()
    techniques: Mapping[str, Mapping[str, Setting]] = field(default_factory=dict)
    chosen: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    submission: Mapping[str, object] = field(default_factory=dict)
    parent: "Recipe | None" = None


def bundled_recipes() -> dict[str, Path]:
    """Every recipe that pgolf-compose brings along, by the name of its file."""
    return {path.stem: path for path in sorted(RECIPES.rglob("*.yaml"))}


def find_recipe(
    word: str,
    where: object = None,
    beside: Path | None = None,
    kind: str = "recipe",
    others: Iterable[str] = (),
) -> Path:
    """The file meant by a path, a bundled recipe's name or its beginning, or `pr1493`.

    A path is taken from the folder `beside`. `kind` and `others` word the error where the word
    could have meant something else as well.
    """
    if word.endswith((".yaml", ".yml")) or "/" in word:
        path = (beside or Path()) / word
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ComposeError("this is no file to read", path)
        if not path.exists():
            near = did_you_mean(Path(word).stem, bundled_recipes())
            raise ComposeError(f"there is no recipe file {word}.{near}", where)
        return path
    bundled = bundled_recipes()
    request = re.fullmatch(r"(?:pr|#)(\d+)", word)
    if (name := f"pr{request[1]}" if request else word) in bundled:
        return bundled[name]
    if request:
        found = [path for path in bundled.values() if pull_request(path) == int(request[1])]
    else:
        found = [path for name, path in bundled.items() if word and name.startswith(word)]
    if len(found) == 1:
        return found[0]
    if found:
        names = listed(sorted(path.stem for path in found), "or")
        raise ComposeError(f"{word} could be {names}; write more of it", where)
    near = did_you_mean(word, [*bundled, *others])
    if not near and word and Path(word).is_file():
        near = f" A file is named with its folder: ./{word}"
    near = near or " `pgolf-compose list --recipes` shows those that are bundled."
    raise ComposeError(f"there is no {kind} {word}.{near}", where)


def pull_request(path: Path) -> int | None:
    """The number under `submission: pr`. Files without the word are not parsed: there are many."""
    if not re.search(r"\bpr:", path.read_text("utf-8")):
        return None
    data = read_yaml(path).data
    return (data.get("submission") or {}).get("pr") if isinstance(data, dict) else None


def read_recipe(path: Path, chain: tuple[Path, ...] = (), where: object = None) -> Recipe:
    """A recipe file and everything it extends, merged key by key."""
    if path.resolve() in chain:
        cycle = [*chain[chain.index(path.resolve()) :], path]
        names = " extends ".join(one.stem for one in cycle)
        raise ComposeError(f"recipes extend each other in a circle: {names}", where)
    document = read_yaml(path)
    if document.data is None:
        raise ComposeError("this recipe is empty; write at least `techniques:`", path)
    check_shape(document)
    data: dict = document.data
    parent = None
    if data.get("extends"):
        at = document.where("extends")
        above = find_recipe(data["extends"], at, path.parent)
        parent = read_recipe(above, (*chain, path.resolve()), at)
    return merge(document, parent)


def merge(document: Document, parent: Recipe | None) -> Recipe:
    """The parent's recipe with this file's keys on top."""
    data: dict = document.data
    base = parent or Recipe("")
    techniques = {name: dict(settings) for name, settings in base.techniques.items()}
    chosen = dict(base.chosen)
    for number, name in enumerate(data.get("without") or ()):
        at = document.where("without", number)
        if name in (data.get("techniques") or {}):
            raise ComposeError(f"{name} is in `techniques` and in `without`; drop one", at)
        if name not in techniques:
            near = did_you_mean(name, techniques)
            raise ComposeError(f"{name} is not in what this recipe extends.{near}", at)
        del techniques[name], chosen[name]
    for name, settings in (data.get("techniques") or {}).items():
        techniques.setdefault(name, {}).update(
            (key, Setting(value, document.where("techniques", name, key)))
            for key, value in (settings or {}).items()
        )
        chosen[name] = document.key("techniques", name)
    settings = dict(base.settings)
    if data.get("data"):  # another dataset: what was inherited about the last one goes
        settings = {key: one for key, one in settings.items() if key not in DATA_SETTINGS}
    settings.update(
        (key, Setting(value, document.where("settings", key)))
        for key, value in (data.get("settings") or {}).items()
    )
    folders = tuple(document.path.parent / folder for folder in data.get("plugins") or ())
    for number, folder in enumerate(folders):
        if not folder.is_dir():
            raise ComposeError(
                f"there is no folder {data['plugins'][number]} beside this file",
                document.where("plugins", number),
            )
    return Recipe(
        name=data.get("name") or document.path.stem,
        path=document.path,
        track=Setting(data["track"], document.where("track")) if data.get("track") else base.track,
        data=Setting(data["data"], document.where("data")) if data.get("data") else base.data,
        plugins=(*base.plugins, *folders),
        techniques=techniques,
        chosen=chosen,
        settings=settings,
        submission=data.get("submission") or {},
        parent=parent,
    )


def check_shape(document: Document) -> None:
    """Refuse keys that a recipe does not have and values of another kind than it wants."""
    from pgolf_compose.schema import RecipeFile, problems

    if not isinstance(document.data, dict):
        raise ComposeError("a recipe is a list of `key: value`, not this", document.where())
    for keys, kind, wanted in problems(RecipeFile, document.data):
        *above, key = keys
        if kind == "unknown":
            known = SUBMISSION if above else RecipeFile.model_fields
            of = f" of {above[0]}" if above else " of a recipe"
            raise ComposeError(
                f"{key} is no key{of}.{did_you_mean(str(key), known)} "
                f"The keys are {listed(known)}.",
                document.key(*keys),
            )
        value = written(value_at(document.data, keys))
        name = ".".join(str(part) for part in keys if not isinstance(part, int))
        raise ComposeError(f"{name} is {value}; it wants {wanted}", document.where(*keys))
    name = document.data.get("name") or document.path.stem
    if not NAME.fullmatch(name):
        raise ComposeError(
            f"{name!r} cannot name a recipe: it names a folder, of letters, digits and . _ + -",
            document.where("name"),
        )


def value_at(data: object, keys: tuple) -> object:
    for key in keys:
        data = data[key]
    return data


def written(value: object) -> str:
    """A value as a recipe would show it."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
    return str(value)
