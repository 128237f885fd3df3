"""Puts plugins/, templates/ and recipes/ into the wheel, as pgolf_compose/_bundled/."""

from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("plugins", "templates", "recipes")
SUFFIXES = {".py", ".jinja", ".yaml", ".md", ".c", ".cpp"}


class BundleFolders(BuildHookInterface):
    def initialize(self, version: str, build_data: dict) -> None:
        if version == "editable":  # a checkout finds them at its own root
            return
        root = Path(self.root)
        for folder in FOLDERS:
            for path in sorted((root / folder).rglob("*")):
                relative = path.relative_to(root)
                hidden = any(part.startswith((".", "__pycache__")) for part in relative.parts)
                if path.is_file() and path.suffix in SUFFIXES and not hidden:
                    bundled = f"pgolf_compose/_bundled/{relative.as_posix()}"
                    build_data["force_include"][str(path)] = bundled
