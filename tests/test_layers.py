"""Imports go one way: each module only reads modules above it in this list."""

import ast
from pathlib import Path

import pytest
from conftest import ROOT

ORDER = [
    "alike",
    "statistics",
    "spans",
    "errors",
    "origin",
    "hookspecs",
    "technique",
    "__init__",
    "_bundled",
    "cache",
    "yaml_file",
    "tracks",
    "logs.text",
    "logs.prefixes",
    "logs.source",
    "logs.words",
    "logs.pairs",
    "logs.lines",
    "logs.scores",
    "logs.sizes",
    "logs.curve",
    "logs.setup",
    "logs.ending",
    "logs.log",
    "logs.run",
    "logs.result",
    "logs.reading",
    "logs.finding",
    "logs",
    "json_file",
    "folders.folder",
    "folders.figures",
    "folders.reasons",
    "folders.agreement",
    "folders",
    "curves",
    "results",
    "pack",
    "packers.digits",
    "packers.source",
    "packers.instant",
    "packers.mixing",
    "packers",
    "files",
    "data",
    "places",
    "plugins",
    "schema",
    "leaderboard",
    "samples",
    "comparison",
    "recipe",
    "resolve",
    "legality",
    "script",
    "shapes",
    "stored",
    "render",
    "passes.tree",
    "passes.scopes",
    "passes.variables",
    "passes.docstrings",
    "passes.kinds",
    "passes.printing",
    "passes.attributes",
    "passes.letters",
    "passes.names",
    "passes.freeze",
    "passes.fold",
    "passes.branches",
    "passes.straighten",
    "passes.defaults",
    "passes.constants",
    "passes.positional",
    "passes.unused",
    "passes.inline",
    "passes",
    "diff.alignment",
    "diff.pieces",
    "diff.programs",
    "diff.readings",
    "foreign",
    "build",
    "account",
    "flatten",
    "report",
    "product",
    "submission.sections",
    "submission.markup",
    "submission.standing",
    "submission.about",
    "submission.evidence",
    "submission.checklist",
    "submission.readme",
    "submission",
    "scaffold",
    "launch",
    "progress",
    "unpack",
    "environment",
    "trace",
    "smoke",
    "diff.sides",
    "diff",
    "audit.finding",
    "audit.markdown",
    "audit.fstrings",
    "audit.scripts",
    "audit.words",
    "audit.audited",
    "audit.known",
    "audit.published",
    "audit.about",
    "audit.files",
    "audit.sizes",
    "audit.limits",
    "audit.figures",
    "audit.commands",
    "audit.settings",
    "audit.claims",
    "audit.recomposed",
    "audit",
    "cli.shared",
    "cli.auditing",
    "cli.against",
    "cli.comparing",
    "cli.composing",
    "cli.listing",
    "cli.packing",
    "cli.results",
    "cli.running",
    "cli.showing",
    "cli.submitting",
    "cli",
    "__main__",
]
PACKAGE = ROOT / "pgolf_compose"


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


# not the composer's: only the process that executes a script imports these, and they need torch
STANDINS = sorted((PACKAGE / "standins").glob("*.py"))
MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py") if path not in STANDINS}


def imports(path: Path) -> set[str]:
    """Our modules that a file imports at any depth, but for annotations and lazy re-exports."""
    found = set()
    tree = ast.parse(path.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        or getattr(node, "name", "") == "__getattr__"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        names = []
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pgolf_compose"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("pgolf_compose")]
        for name in names:
            inner = name.removeprefix("pgolf_compose").lstrip(".")
            while inner and inner not in MODULES:
                inner = inner.rpartition(".")[0]
            found.add(inner or "__init__")
    return found - {module_name(path)}


def test_every_module_has_its_rank():
    assert sorted(MODULES) == sorted(ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_a_module_imports_only_from_above(name):
    below = [other for other in imports(MODULES[name]) if ORDER.index(other) > ORDER.index(name)]
    assert below == []


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").rglob("*.py")), ids=str)
def test_techniques_use_only_public_names(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pgolf_compose"):
            assert node.module == "pgolf_compose"


def test_the_composer_never_imports_torch():
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert all(alias.name.partition(".")[0] != "torch" for alias in node.names), path
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] != "torch", path


def test_nothing_of_the_composer_imports_a_stand_in_or_is_imported_by_one():
    for path in MODULES.values():
        assert "pgolf_compose.standins" not in path.read_text(), path
    for path in STANDINS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pgolf_compose"):
                assert node.module.startswith("pgolf_compose.standins"), path
            if isinstance(node, ast.Import):
                assert not any(one.name.startswith("pgolf_compose") for one in node.names), path


def test_only_the_command_line_prints_or_exits():
    for name, path in MODULES.items():
        if name.partition(".")[0] not in ("cli", "__main__"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    assert ast.unparse(node.func) not in ("print", "sys.exit", "exit"), path
