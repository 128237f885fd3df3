"""A composition written back as one recipe file that extends nothing."""

import os
from pathlib import Path

import yaml

from pgolf_compose.resolve import Composition
from pgolf_compose.yaml_file import Loader

__all__ = ["flattened"]


class Dumper(yaml.SafeDumper):
    """Quotes what our own reading of scalars would take for something else."""

    yaml_implicit_resolvers = Loader.yaml_implicit_resolvers

    def ignore_aliases(self, data) -> bool:
        return True


Dumper.add_representer(
    type(None), lambda dumper, data: dumper.represent_scalar("tag:yaml.org,2002:null", "")
)


def flattened(composition: Composition, beside: Path | None = None) -> str:
    """YAML that composes to the same script: what was set, with all extended recipes merged in.

    Folders of plugins are written relative to `beside`, the folder it will lie in.
    """
    recipe = composition.recipe
    data: dict = {"name": recipe.name, "track": recipe.track.value}
    if recipe.data:
        data["data"] = recipe.data.value
    if recipe.plugins:
        start = beside or Path.cwd()
        data["plugins"] = [Path(os.path.relpath(one, start)).as_posix() for one in recipe.plugins]
    data["techniques"] = {
        one.name: {key: s.value for key, s in recipe.techniques[one.name].items()} or None
        for one in composition.techniques
    }
    data["settings"] = {key: setting.value for key, setting in recipe.settings.items()}
    data["submission"] = dict(recipe.submission)
    kept = {key: value for key, value in data.items() if value}
    return yaml.dump(kept, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
