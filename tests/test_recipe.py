import pytest

from pgolf_compose.errors import ComposeError
from pgolf_compose.recipe import bundled_recipes, find_recipe, read_recipe


def values(settings):
    return {key: setting.value for key, setting in settings.items()}


def test_settings_merge_key_by_key_through_extends(tree):
    folder = tree(
        {
            "a.yaml": "techniques:\n  xsa: {last_n: 4, x: 1}\n  ema:\nsettings: {seed: 1, beta1: 0.8}\n",
            "b.yaml": "extends: ./a.yaml\ntechniques:\n  xsa: {last_n: 5}\nsettings: {seed: 2}\n",
            "c.yaml": "extends: ./b.yaml\nwithout: [ema]\ntechniques:\n  swa:\n",
        }
    )
    recipe = read_recipe(folder / "c.yaml")
    assert {name: values(s) for name, s in recipe.techniques.items()} == {
        "xsa": {"last_n": 5, "x": 1},
        "swa": {},
    }
    assert values(recipe.settings) == {"seed": 2, "beta1": 0.8}
    assert str(recipe.techniques["xsa"]["last_n"].where) == "b.yaml:3:17"
    assert str(recipe.techniques["xsa"]["x"].where) == "a.yaml:2:23"
    assert [recipe.name, recipe.parent.name, recipe.parent.parent.name] == ["c", "b", "a"]


def test_track_data_and_plugins_come_down_but_a_submission_does_not(tree):
    folder = tree(
        {
            "below": {
                "a.yaml": "track: unlimited\ndata: sp8192\nplugins: [mine]\nsubmission: {pr: 1}\n",
                "mine": {},
            },
            "b.yaml": "extends: below/a.yaml\nplugins: [ours]\n",
            "ours": {},
        }
    )
    recipe = read_recipe(folder / "b.yaml")
    assert (recipe.track.value, recipe.data.value, recipe.submission) == ("unlimited", "sp8192", {})
    assert recipe.plugins == (folder / "below" / "mine", folder / "ours")


def test_a_recipe_is_found_by_path_name_beginning_or_pull_request(tree, monkeypatch):
    folder = tree(
        {
            "lib": {
                "records": {
                    "2026-04-05_Loop.yaml": "submission: {pr: 1394}\n# like pr: 7\n",
                    "2026-04-09_Par.yaml": "submission:\n  pr: 1493\n",
                },
                "seeds": {
                    "pr301.yaml": "submission: {pr: 301}\n",
                    "pr301_legal.yaml": "submission: {pr: 301}\n",
                },
                "baseline.yaml": "track: 10min_16mb\n",
            },
            "mine.yaml": "extends: baseline\n",
        }
    )
    monkeypatch.setattr("pgolf_compose.recipe.RECIPES", folder / "lib")
    names = ["baseline", "2026-04-05_Loop", "2026-04-09_Par", "pr301", "pr301_legal"]
    assert list(bundled_recipes()) == names
    words = ("baseline", "base", "pr1394", "pr1493", "#1493", "pr301", "#301", "pr301_")
    found = {word: find_recipe(word).name for word in words}
    assert found == {
        "baseline": "baseline.yaml",
        "base": "baseline.yaml",
        "pr1394": "2026-04-05_Loop.yaml",
        "pr1493": "2026-04-09_Par.yaml",
        "#1493": "2026-04-09_Par.yaml",
        "pr301": "pr301.yaml",
        "#301": "pr301.yaml",
        "pr301_": "pr301_legal.yaml",
    }
    assert find_recipe("mine.yaml").resolve() == folder / "mine.yaml"
    for word, message in {
        "2026-04": "2026-04 could be 2026-04-05_Loop or 2026-04-09_Par; write more of it",
        "basline": "there is no recipe basline. Did you mean baseline?",
        "pr7": "there is no recipe pr7. `pgolf-compose list --recipes` shows those that are bundled.",
        "pr30": "there is no recipe pr30. Did you mean pr301?",
        "": "there is no recipe . `pgolf-compose list --recipes` shows those that are bundled.",
        "mime.yaml": "there is no recipe file mime.yaml.",
    }.items():
        with pytest.raises(ComposeError) as caught:
            find_recipe(word)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.yaml: this recipe is empty; write at least `techniques:`"),
        ("- xsa\n", "x.yaml:1:1: a recipe is a list of `key: value`, not this"),
        (
            "technique:\n  xsa:\n",
            "x.yaml:1:1: technique is no key of a recipe. Did you mean techniques? The keys are "
            "name, extends, track, data, plugins, techniques, settings, without and submission.",
        ),
        (
            "submission: {auther: me}\n",
            "x.yaml:1:14: auther is no key of submission. Did you mean author? "
            "The keys are name, pr, val_bpb, author, github_id, blurb, date and seeds.",
        ),
        (
            "techniques: [xsa]\n",
            "x.yaml:1:13: techniques is ['xsa']; it wants `key: value` lines",
        ),
        (
            "techniques:\n  xsa: 4\n",
            "x.yaml:2:8: techniques.xsa is 4; it wants `key: value` lines",
        ),
        ("extends: 3\n", "x.yaml:1:10: extends is 3; it wants a text"),
        (
            "submission: {seeds: [1, a]}\n",
            "x.yaml:1:25: submission.seeds is 'a'; it wants a whole number",
        ),
        (
            "submission: {val_bpb: best}\n",
            "x.yaml:1:23: submission.val_bpb is 'best'; it wants a number",
        ),
        (
            "name: ../up\n",
            "x.yaml:1:7: '../up' cannot name a recipe: "
            "it names a folder, of letters, digits and . _ + -",
        ),
        (
            "plugins: [mine]\n",
            "x.yaml:1:11: there is no folder mine beside this file",
        ),
        ("extends: ./y.yaml\n", "x.yaml:1:10: there is no recipe file ./y.yaml."),
        ("extends: ./x.yaml\n", "x.yaml:1:10: recipes extend each other in a circle: x extends x"),
        (
            "extends: baseline\nwithout: [ema]\n",
            "x.yaml:2:11: ema is not in what this recipe extends.",
        ),
        (
            "extends: baseline\nwithout: [ema]\ntechniques:\n  ema:\n",
            "x.yaml:2:11: ema is in `techniques` and in `without`; drop one",
        ),
    ],
)
def test_a_malformed_recipe_is_refused_where_it_is_wrong(tree, text, message):
    folder = tree({"x.yaml": text})
    with pytest.raises(ComposeError) as caught:
        read_recipe(folder / "x.yaml")
    assert str(caught.value) == message


def test_a_circle_of_recipes_is_shown_whole(tree):
    folder = tree(
        {
            "a.yaml": "extends: ./b.yaml\n",
            "b.yaml": "extends: ./c.yaml\n",
            "c.yaml": "# round\nextends: ./b.yaml\n",
        }
    )
    with pytest.raises(ComposeError) as caught:
        read_recipe(folder / "a.yaml")
    assert str(caught.value) == (
        "c.yaml:2:10: recipes extend each other in a circle: b extends c extends b"
    )
