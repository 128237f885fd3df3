"""What composing a recipe comes to: three files, and a few lines to tell; kept between runs."""

from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path

from pgolf_compose import cache
from pgolf_compose.account import Row, account
from pgolf_compose.build import Build, compose
from pgolf_compose.recipe import Recipe
from pgolf_compose.report import told

__all__ = ["Product", "finished", "product", "shares_above"]


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
    if not options.get("plugins") and watched(build):
        cache.remember(name, asdict(made), chain(build.composition.recipe))
    return made


def shares_above(build: Build) -> list[Row]:
    """The account of what the recipe extends, by technique; kept between runs as well."""
    above = build.composition.recipe.parent
    name = cache.key("above", above.path.resolve(), build.packer.name)
    found = cache.recall(name) if watched(build) else None
    if found is None:
        found = {"rows": [asdict(row) for row in account(build.above)[0]]}
        if watched(build):
            cache.remember(name, found, chain(above))
    return [Row(**row) for row in found["rows"]]


def watched(build: Build) -> bool:
    """Whether every file that shapes a build is one that the cache looks at."""
    return not build.composition.recipe.plugins and not others_plugins()


def others_plugins() -> bool:
    return bool(entry_points(group="pgolf_compose"))


def chain(recipe: Recipe | None) -> list[Path]:
    """The files of a recipe and of all that it extends."""
    return [recipe.path, *chain(recipe.parent)] if recipe else []
