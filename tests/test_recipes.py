"""Every recipe below recipes/: in form, as locked, and as recipes/README.md tells of it."""

import contextlib
import functools
import json

import pytest
import recipe_index
from conftest import ROOT
from test_conformance import TRACES
from test_golden import VECTORS

import pgolf_compose
from pgolf_compose.errors import ComposeError, listed
from pgolf_compose.legality import noncompliance
from pgolf_compose.plugins import load_library
from pgolf_compose.recipe import bundled_recipes, read_recipe
from pgolf_compose.render import checked
from pgolf_compose.resolve import Changes, resolve
from pgolf_compose.yaml_file import read_yaml

PATHS = bundled_recipes()


@pytest.fixture(params=sorted(PATHS))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def library():
    return load_library()


def test_a_recipe_is_short_and_opens_with_a_comment(name):
    lines = PATHS[name].read_text("utf-8").splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= 100
    assert lines[0].startswith("# ") and lines[0].endswith(".")


def test_a_recipe_is_known_by_its_file_and_extends_another_by_its_full_name(name):
    data = read_yaml(PATHS[name]).data
    assert "name" not in data
    assert "extends" not in data or data["extends"] in PATHS
    if name.removeprefix("pr").isdigit():
        assert data["submission"]["pr"] == int(name.removeprefix("pr"))


def test_no_two_recipes_have_one_name():
    assert len(PATHS) == len([*(ROOT / "recipes").rglob("*.yaml")])


# of the shortest, the longest and two kinds between; `make test-all` minifies all
MINIFIED = {
    "baseline",
    "2026-03-22_11L_EMA_GPTQ-lite_warmdown3500_QAT015_1.1233",
    "2026-04-09_SP8192_3LayerRecur_ParResid_QK525_LegalTTT",
    "pr366",
}


def test_a_recipe_composes_to_what_is_locked(name):
    composes_to_what_is_locked(name, *["minified"] * (name in MINIFIED))


@pytest.mark.exhaustive
def test_a_recipe_is_minified_to_what_is_locked(name):
    composes_to_what_is_locked(name, "minified")


def composes_to_what_is_locked(name, *kinds):
    build = pgolf_compose.compose(name, allow_noncompliant=True)
    found = recipe_index.hashes(build, "readable", *kinds)
    wanted = recipe_index.locked().get(name, {})
    if changed := [kind for kind in found if found[kind] != wanted.get(kind)]:
        told = f"{name}: {listed(changed)} script changed; if that is meant, run make recipes"
        pytest.fail(told, pytrace=False)
    if noncompliance(build.composition) and build.composition.track.record:
        with pytest.raises(ComposeError, match="--allow-noncompliant"):
            pgolf_compose.compose(name)


@functools.cache
def recipes():
    return [read_recipe(path) for path in PATHS.values()]


@pytest.mark.parametrize("one", sorted({one for recipe in recipes() for one in recipe.techniques}))
def test_the_recipe_with_most_techniques_composes_without_any_one(one, library):
    having = [recipe for recipe in recipes() if one in recipe.techniques]
    composes_without(max(having, key=lambda recipe: len(recipe.techniques)), one, library)


@pytest.mark.exhaustive
def test_every_recipe_composes_without_any_one_technique(name, library):
    recipe = read_recipe(PATHS[name])
    for one in recipe.techniques:
        composes_without(recipe, one, library)


def composes_without(recipe, one, library):
    """Or it says who needs the technique."""
    needed_by = [two for two in recipe.techniques if one in library.techniques[two].requires]
    told = (
        pytest.raises(ComposeError, match=rf"\b({'|'.join(needed_by)}) needs .*\b{one} ")
        if needed_by
        else contextlib.nullcontext()
    )
    with told:
        checked(resolve(recipe, library, Changes(removed=[one])))


def test_the_lock_holds_every_recipe_and_no_other():
    assert list(recipe_index.locked()) == sorted(PATHS), "run make recipes"


def test_the_readme_is_what_the_recipes_say():
    if recipe_index.README.read_text("utf-8") != recipe_index.readme():
        pytest.fail("recipes/README.md is stale; run make recipes", pytrace=False)


def test_a_level_rests_on_captured_numbers(shared):
    for trace in TRACES:
        assert (shared / "conformance" / trace / "trace.json").is_file(), trace
    for vector in {one for vectors in VECTORS.values() for one in vectors}:
        assert (shared / "golden" / f"{vector}.npz").is_file(), vector


@pytest.fixture(scope="module")
def published(shared):
    """(folder, title, pull request, score) of every submission on record; None where not told."""
    found = []
    for path in shared.glob("records/*/*/submission.json"):
        one = json.loads(path.read_text("utf-8"))
        found.append((path.parent.name, one.get("name"), None, one.get("val_bpb")))
    for path in shared.glob("catalog/*.json"):
        for one in json.loads(path.read_text("utf-8"))["records"]:
            found.append((one.get("dir"), None, one.get("pr"), one.get("val_bpb")))
    return found


def test_a_score_and_a_pull_request_are_the_published_ones(name, published):
    about = read_recipe(PATHS[name]).submission
    title, request, score = (about.get(key) for key in ("name", "pr", "val_bpb"))
    called = [one for one in published if one[0] == name or (title and one[1] == title)]
    called = called or [one for one in published if request and one[2] == request]
    scores = {round(one[3], 5) for one in called if one[3]}
    requests = {one[2] for one in called if one[2]}
    assert score in (scores or {None})
    assert request in requests or not requests
