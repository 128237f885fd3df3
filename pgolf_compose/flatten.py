"""A composition written back as one recipe file that extends nothing."""

import os
from collections.abc import Sequence
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


def flattened(composition: Composition, plugins: Sequence[str] | None = None) -> str:
    """YAML that composes to the same script: what was set, with all extended recipes merged in.

    `plugins` names the folders of techniques from where it will lie; if left out, that is the
    current folder, and they are the recipe's own.
    """
    recipe = composition.recipe
    data: dict = {"name": recipe.name, "track": recipe.track.value}
    if recipe.data:
        data["data"] = recipe.data.value
    if plugins is None:
        plugins = [Path(os.path.relpath(folder)).as_posix() for folder in recipe.plugins]
    data["plugins"] = list(plugins)
    data["techniques"] = {
        one.name: {key: s.value for key, s in recipe.techniques[one.name].items()} or None
        for one in composition.techniques
    }
    data["settings"] = {key: setting.value for key, setting in recipe.settings.items()}
    # a published score is the recipe's own: this may be a changed copy
    data["submission"] = {k: v for k, v in recipe.submission.items() if k != "val_bpb"}
    kept = {key: value for key, value in data.items() if value}
    return yaml.dump(kept, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
