"""Writes recipes/README.md and tests/recipes.lock: `make recipes`. test_recipes.py compares them."""

import hashlib
import re
import textwrap
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from conftest import ROOT
from test_conformance import TRACES
from test_golden import VECTORS

import pgolf_compose
from pgolf_compose.build import Build, resolve_recipe
from pgolf_compose.legality import noncompliance
from pgolf_compose.recipe import bundled_recipes
from pgolf_compose.resolve import Composition

README = ROOT / "recipes" / "README.md"
LOCK = ROOT / "tests" / "recipes.lock"
PULL = "https://github.com/openai/parameter-golf/pull"
TEXT = """<!-- written by `make recipes` -->
# Recipes

A recipe is a short YAML file: which techniques, with which settings, on top of which other recipe.
`pgolf-compose pr1493` composes one, by its name, the beginning of its name or its pull request's
number; `pgolf-compose show pr1493` tells where each value comes from. What is not compliant needs
`--allow-noncompliant` on a record track.

- **val_bpb** is the score that was published, in bits per byte.
- **level** says what holds the composed script to the public one:
  - `traced`: it reproduces that script's own run at a tiny size (`tests/test_conformance.py`);
  - `vectors`: every technique is held to numbers of a public script, in a traced recipe or by a
    captured vector (`tests/test_golden.py`); this choice of techniques and settings is not;
  - `described`: written from a description, and no captured number is there for the techniques
    that are named.
- **rules**: what the techniques declare of the track's rules. The code is not audited.

## Lineage

```text
{tree}
```

## All of them

| recipe | date | val_bpb | pull request | level | rules | techniques |
|---|---|--:|--:|---|---|--:|
{table}
"""


def readme() -> str:
    """recipes/README.md as the recipes are now."""
    recipes = sorted((resolve_recipe(name)[1] for name in bundled_recipes()), key=by_date_and_score)
    pinned = {*VECTORS}.union(*(one.recipe.techniques for one in recipes if one.name in TRACES))
    table = "\n".join(row(one, level(one, pinned)) for one in recipes)
    below = {}
    for one in recipes:
        parent = one.recipe.parent
        below.setdefault(parent.name if parent else "", []).append(one)
    return TEXT.format(tree="\n".join(tree(below)), table=table)


def by_date_and_score(one: Composition) -> tuple:
    return date(one) or "undated", one.recipe.submission.get("val_bpb") or 9, one.name


def date(one: Composition) -> str:
    named = re.match(r"\d{4}-\d\d-\d\d(?=_)", one.name)
    return one.recipe.submission.get("date") or (named[0] if named else "")


def level(one: Composition, pinned: set[str]) -> str:
    """`traced`, `vectors`, or `described` with the techniques that no number is there for."""
    if one.name in TRACES:
        return "traced"
    free = [each.name for each in one.techniques if not each.measuring and each.name not in pinned]
    return f"described: {', '.join(sorted(free))}" if free else "vectors"


def row(one: Composition, level: str) -> str:
    about, path = one.recipe.submission, one.recipe.path.relative_to(README.parent).as_posix()
    cells = (
        f"[{one.name}]({path})",
        date(one),
        f"{about['val_bpb']:.5f}" if "val_bpb" in about else "",
        f"[#{about['pr']}]({PULL}/{about['pr']})" if "pr" in about else "",
        level,
        noncompliance(one) or "legal as far as declared",
        str(len(one.techniques)),
    )
    return f"| {' | '.join(cells)} |"


def tree(below: dict[str, list[Composition]], parent: str = "", lead: str = "") -> Iterator[str]:
    """Each recipe that extends the parent, under it its first comment and what extends it."""
    for one in below.get(parent, ()):
        fork, bar = ("└ ", "  ") if one is below[parent][-1] else ("├ ", "│ ")
        fork, bar = (fork, lead + bar) if parent else ("", "")
        yield lead + fork + one.name
        margin = bar + ("│ " if one.name in below else "  ")
        comment = one.recipe.path.read_text("utf-8").partition("\n")[0].removeprefix("# ")
        yield from textwrap.wrap(comment, 100, initial_indent=margin, subsequent_indent=margin)
        yield from tree(below, one.name, bar)


def hashes(build: Build, *kinds: str) -> dict[str, str]:
    """SHA-256 of what is the same on every machine; packing depends on its liblzma."""
    texts = {"readable": lambda: build.readable, "minified": lambda: build.minified.encode()}
    return {kind: hashlib.sha256(texts[kind]()).hexdigest() for kind in kinds}


def composed(name: str) -> dict[str, str]:
    return hashes(pgolf_compose.compose(name, allow_noncompliant=True), "readable", "minified")


def locked() -> dict[str, dict[str, str]]:
    """tests/recipes.lock: for each recipe the hashes of its scripts."""
    if not LOCK.exists():
        return {}
    kinds, *lines = (line.split() for line in LOCK.read_text("utf-8").splitlines())
    return {name: dict(zip(kinds[1:], found, strict=True)) for name, *found in lines}


def main() -> None:
    names, old = sorted(bundled_recipes()), locked()
    with ProcessPoolExecutor() as pool:
        lock = dict(zip(names, pool.map(composed, names), strict=True))
    lines = ["recipe readable minified", *(" ".join([n, *lock[n].values()]) for n in names)]
    LOCK.write_text("\n".join(lines) + "\n", "utf-8")
    README.write_text(readme(), "utf-8")
    for name in sorted({*old, *lock}):
        if old.get(name) != lock.get(name):
            print(name, "is new" if name not in old else "changed" if name in lock else "is gone")


if __name__ == "__main__":
    main()
