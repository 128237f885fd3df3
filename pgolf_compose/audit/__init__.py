"""Whether a submission's folder holds together: a check per subject, each a function of one value.

A check takes an `Audited` and yields what it found, what passed and what it could not look at. It
prints nothing, executes nothing of the folder, and knows no other check. To add one, write it in a
file of its own here and add it to CHECKS: the name is what callers and the report call it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pgolf_compose.audit.about import check_about, check_agreement, check_promises
from pgolf_compose.audit.audited import Audited, look_at
from pgolf_compose.audit.claims import check_claims
from pgolf_compose.audit.commands import check_commands, check_paths
from pgolf_compose.audit.figures import check_figures
from pgolf_compose.audit.files import check_files, check_script
from pgolf_compose.audit.finding import LEVELS, Check, Finding, Passed, Place, Report, Unchecked
from pgolf_compose.audit.limits import check_runs, check_times
from pgolf_compose.audit.recomposed import check_hashes, check_recipe
from pgolf_compose.audit.settings import check_settings
from pgolf_compose.audit.sizes import check_sizes
from pgolf_compose.plugins import Library, load_library
from pgolf_compose.tracks import Track

__all__ = ["CHECKS", "Audited", "Finding", "Passed", "Place", "Report", "Unchecked", "audit"]

CHECKS: dict[str, Check] = {
    "files": check_files,
    "script": check_script,
    "json": check_about,
    "json and logs": check_agreement,
    "promises": check_promises,
    "bytes": check_sizes,
    "times": check_times,
    "runs": check_runs,
    "numbers": check_figures,
    "paths": check_paths,
    "commands": check_commands,
    "techniques": check_claims,
    "settings": check_settings,
    "hashes": check_hashes,
    "recipe": check_recipe,
}


def audit(
    path: Path,
    track: Track | None = None,
    recompose: bool = False,
    library: Library | None = None,
    checks: Iterable[str] = tuple(CHECKS),
    plugins: Sequence[Path] = (),
) -> Report:
    """Checks, by their names in CHECKS, over a folder.

    With `recompose`, the folder's own techniques may be imported, which runs them. `plugins` are
    folders of techniques that `library` has, too. Raises ComposeError for what is no folder.
    """
    checks = tuple(checks)
    audited = look_at(path, library or load_library(plugins), track, recompose, plugins)
    found: list[Finding] = []
    passed: list[Passed] = []
    unchecked: list[Unchecked] = []
    for name in checks:
        for one in CHECKS[name](audited):
            {Finding: found, Passed: passed, Unchecked: unchecked}[type(one)].append(one)
    found = sorted(dict.fromkeys(found), key=order)
    return Report(path, checks, tuple(found), tuple(passed), tuple(dict.fromkeys(unchecked)))


def order(one: Finding) -> tuple:
    """Errors first, then by place."""
    return LEVELS.index(one.level), one.where.file, one.where.line, one.where.column
