"""What composing comes to, and what is kept of it between runs."""

import json

import pytest

import pgolf_compose.product
from pgolf_compose import cache
from pgolf_compose.account import account
from pgolf_compose.build import compose
from pgolf_compose.product import finished, shares_above


@pytest.fixture
def composed(monkeypatch, tmp_path):
    """Compositions that were made, not found; an empty cache to begin with."""
    made, compose = [], pgolf_compose.product.compose

    def counted(path, **options):
        made.append(path.name)
        return compose(path, **options)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(pgolf_compose.product, "compose", counted)
    return made


def test_what_has_not_changed_is_found_again(tree, composed):
    recipe = tree({"x.yaml": "extends: y.yaml\n", "y.yaml": "extends: baseline\n"}) / "x.yaml"
    first = finished(recipe, set=())
    assert finished(recipe, set=()) == first
    assert composed == ["x.yaml"]
    assert set(first.files()) == {
        pgolf_compose.product.Path("out/x", name)
        for name in ("train_gpt.py", "train_gpt_human.py", "train_gpt.map.json")
    }


def test_the_parent_s_bytes_are_counted_once(tree, composed, monkeypatch):
    folder = tree({"x.yaml": "extends: y.yaml\n", "y.yaml": "extends: baseline\n"})
    build, counted = compose(folder / "x.yaml"), []
    monkeypatch.setattr(
        pgolf_compose.product, "account", lambda one: counted.append(one.name) or account(one)
    )
    first = shares_above(build)
    assert shares_above(build) == first == account(build.above)[0]
    assert counted == ["y"]
    assert sum(row.packed for row in first) == len(build.above.packed)
    # another parent is counted anew; what its bytes are is the account's
    monkeypatch.setattr(
        pgolf_compose.product, "account", lambda one: (counted.append(one.name) or [], [])
    )
    with (folder / "y.yaml").open("a") as file:
        file.write("settings: {matrix_lr: 0.03}\n")
    assert shares_above(compose(folder / "x.yaml")) == []
    assert counted == ["y", "y"]


def test_what_has_changed_is_made_again(tree, composed):
    folder = tree({"x.yaml": "extends: y.yaml\n", "y.yaml": "extends: baseline\n"})
    first = finished(folder / "x.yaml", set=())
    assert "MATRIX_LR=0.03" not in first.readable
    other = finished(folder / "x.yaml", set=("matrix_lr=0.03",))
    (folder / "y.yaml").write_text("extends: baseline\nsettings: {matrix_lr: 0.03}\n")
    assert finished(folder / "x.yaml", set=()).small == other.small != first.small
    assert composed == ["x.yaml"] * 3


def test_an_entry_that_is_damaged_is_made_again(tree, composed):
    recipe = tree({"x.yaml": "extends: baseline\n"}) / "x.yaml"
    first = finished(recipe)
    [entry] = (cache.folder() / "builds").glob("*.json")
    for damaged in ("", "[]", "{", json.dumps({"files": {}, "result": {"name": "x"}})):
        entry.write_text(damaged)
        assert finished(recipe) == first
    assert composed == ["x.yaml"] * 5


def test_no_cache_is_no_error(tree, composed, tmp_path):
    recipe = tree({"x.yaml": "extends: baseline\n"}) / "x.yaml"
    (tmp_path / "cache").write_text("a file where the folder would be")
    assert finished(recipe) == finished(recipe)
    assert composed == ["x.yaml"] * 2


def test_techniques_of_others_are_not_kept(tree, cli, composed):
    folder = tree({"x.yaml": "extends: baseline\nplugins: [plugins]\n"})
    cli("new", "leaky_mlp")
    for _ in range(2):
        finished(folder / "x.yaml")
    assert composed == ["x.yaml"] * 2
