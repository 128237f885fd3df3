"""What composing a recipe comes to: three files, and a few lines to tell; kept between runs."""

from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path

from pgolf_compose import cache
from pgolf_compose.build import Build, compose
from pgolf_compose.recipe import Recipe
from pgolf_compose.report import told

__all__ = ["Product", "finished", "product"]


@dataclass(frozen=True)
class Product:
    """The small script, its readable twin and their map, and what people ask of them next."""

    name: str
    script: str  # its file's name, without .py
    small: str
    readable: str
    map: str
    told: tuple[tuple[str, str], ...]

    def files(self, output: Path | None = None) -> dict[Path, bytes]:
        """By path: in the folder `output`, out/NAME if None, or beside the script it names."""
        script = output if output and output.suffix == ".py" else None
        folder = script.parent if script else output or Path("out", self.name)
        stem = script.stem if script else self.script
        texts = {f"{stem}.py": self.small, f"{stem}_human.py": self.readable}
        texts[f"{stem}.map.json"] = self.map
        return {folder / name: text.encode("utf-8") for name, text in texts.items()}


def product(build: Build) -> Product:
    texts = (build.packed, build.readable, build.line_map)
    small, readable, line_map = (text.decode("utf-8") for text in texts)
    return Product(
        build.name, build.composition.host.script, small, readable, line_map, tuple(told(build))
    )


def finished(path: Path, **options) -> Product:
    """`product(compose(path, **options))`, from the cache where nothing has changed."""
    name = cache.key("product", path.resolve(), sorted(options.items()))
    try:
        kept = cache.recall(name) or {}
        return Product(**kept | {"told": tuple(map(tuple, kept["told"]))})
    except (KeyError, TypeError):
        pass  # nothing, or not what was put there
    made = product(build := compose(path, **options))
    # other people's plugins are not watched for changes
    if not (options.get("plugins") or build.composition.recipe.plugins or others_plugins()):
        cache.remember(name, asdict(made), chain(build.composition.recipe))
    return made


def others_plugins() -> bool:
    return bool(entry_points(group="pgolf_compose"))


def chain(recipe: Recipe | None) -> list[Path]:
    """The files of a recipe and of all that it extends."""
    return [recipe.path, *chain(recipe.parent)] if recipe else []
