import itertools
import re
import textwrap

import pytest
from conftest import technique
from hypothesis import given, settings
from hypothesis import strategies as st

import pgolf_compose
from pgolf_compose import ComposeError
from pgolf_compose.flatten import flattened
from pgolf_compose.plugins import load_library
from pgolf_compose.recipe import bundled_recipes, find_recipe, read_recipe
from pgolf_compose.render import fill, render
from pgolf_compose.resolve import resolve


@pytest.fixture
def compose(tree):
    """Compose the baseline with techniques of a test, given as {name: fragments}."""

    def run(declared: dict[str, str] | None = None, **fragments):
        mine = {
            name: technique(textwrap.dedent(text).lstrip("\n"), (declared or {}).get(name, ""))
            for name, text in fragments.items()
        }
        folder = tree({"mine": mine}) / "mine"
        return pgolf_compose.compose("baseline", added=list(fragments), plugins=[folder]).script

    return run


@pytest.fixture
def message(compose):
    def run(declared: dict[str, str] | None = None, **fragments) -> str:
        with pytest.raises(ComposeError) as caught:
            compose(declared, **fragments)
        return str(caught.value)

    return run


def written_by(script, owner):
    """The lines of one technique, without those it declares."""
    pairs = zip(script.lines, script.origins, strict=True)
    return [
        line.strip()
        for line, origin in pairs
        if origin.owner == owner and origin.file.path.name == "fragments.py"
    ]


def test_a_slot_collects_in_declared_order(compose):
    declared = {"a": 'after=("b",)'}
    script = compose(
        declared,
        a="# @fill attention.after\ny = y * 2\n",
        b="# @fill attention.after\ny = y * 3\n",
    )
    assert "        y = y * 3\n        y = y * 2\n        out = self.proj(" in script.code


def test_a_part_is_replaced(compose):
    script = compose(a="# @replace mlp.hidden\nhidden = self.fc(x).sigmoid()\n")
    assert "        hidden = self.fc(x).sigmoid()\n" in script.code
    assert "F.relu" not in script.code


def test_a_fragment_may_offer_a_slot(compose):
    script = compose(
        a="""
        # @replace block.residual
        normed = self.norm(x)
        if self.training:
            # @scope normed
            # @slot block.between
            x = x + self.attn(normed, cos, sin)
        """,
        b="# @fill block.between\nnormed = normed * 2\nnormed = normed + 1\n",
    )
    assert """
        normed = self.norm(x)
        if self.training:
            normed = normed * 2
            normed = normed + 1
            x = x + self.attn(normed, cos, sin)
""" in script.code
    assert written_by(script, "b") == ["normed = normed * 2", "normed = normed + 1"]


def test_a_fill_with_a_question_mark_waits_for_a_place_to_be_offered(compose):
    watcher = "# @fill? adapt.after_step\nlog(h, loss)\n"
    assert written_by(compose(b=watcher, a="# @fill main.finish\nx = 1\n"), "b") == []
    adapter = "# @fill main.finish\nloss = 1\n# @slot adapt.after_step\n"
    assert written_by(compose(b=watcher, a=adapter), "b") == ["log(h, loss)"]


def test_fragments_may_hold_what_jinja_takes_for_its_own(compose):
    line = 'text = f"{{{h.vocab_size}}}" + "{% {{ }} {# #}"'
    assert f"    {line}\n" in compose(a=f"# @fill main.finish\n{line}\n").code


def test_a_choice_between_techniques_can_be_written(compose):
    text = '# @fill main.finish\n# @if "b" in techniques\nlog(h, "with b")\n# @endif\nlog(h, "a")\n'
    assert written_by(compose(a=text), "a") == ['log(h, "a")']
    both = compose(a=text, b="# @fill main.setup\nlog(h, 1)\n")
    assert written_by(both, "a") == ['log(h, "with b")', 'log(h, "a")']


def test_repeated_lines_keep_their_own_owner(compose):
    script = compose(
        {"b": 'after=("a",)'},
        a="# @fill attention.after\ny = y * 2\n",
        b="# @fill attention.after\ny = y * 2\n",
    )
    assert (written_by(script, "a"), written_by(script, "b")) == (["y = y * 2"], ["y = y * 2"])


def test_origins_go_through_black(compose):
    script = compose(
        a="""
        # @fill attention.after
        y = one(two(three(y, v, some_long_argument=1), another_long_argument=2), last_one_of_all=3, more=4)
        y = (  # why
            y
        )
        """,
    )
    assert written_by(script, "a") == [
        "y = one(",
        "two(three(y, v, some_long_argument=1), another_long_argument=2),",
        "last_one_of_all=3,",
        "more=4,",
        ")",
        "y = y  # why",
    ]
    lines = [
        o.line for o in script.origins if o.owner == "a" and o.file.path.name == "fragments.py"
    ]
    assert lines == [2, 2, 2, 2, 2, 3]


def test_imports_are_sorted_and_stand_once_and_only_where_used(compose):
    script = compose(
        a="# @fill imports.standard\nimport json\nimport csv\n\n\n# @fill main.finish\nlog(h, json.dumps(1))\n",
        b="# @fill imports.standard\nimport json\n\n\n# @fill main.setup\nlog(h, json.dumps(1))\n",
    )
    assert "import copy\nimport io\nimport json\nimport math\n" in script.code
    assert script.code.count("import json") == 1 and "csv" not in script.code


def test_a_hyperparameter_that_no_line_reads_is_not_in_the_script(compose, baseline):
    assert "int8_clip_percentile" in baseline.script.code
    script = compose(a="# @replace quantize.scales\nscale = w.abs().amax(1) / top\n")
    assert "int8_clip_percentile" not in script.code


def test_a_switch_of_public_scripts_can_be_confirmed_only(compose):
    script = compose({"a": 'switch="A_ENABLED"'}, a="# @fill main.finish\nlog(h, 1)\n")
    assert '    a_enabled = env("A_ENABLED", True, settled=True)' in script.code


A = "mine/a/fragments.py"


@pytest.mark.parametrize(
    ("fragments", "error"),
    [
        (
            {"a": "# @fill attention.aftr\ny = 1\n"},
            f"{A}:1: there is no place named attention.aftr. Did you mean attention.after? "
            "`pgolf-compose list --places` shows them all.",
        ),
        (
            {"a": "# @fill mlp.hidden\nhidden = 1\n"},
            f"{A}:1: mlp.hidden is a part: write `# @replace mlp.hidden`",
        ),
        (
            {"a": "# @fill main.setup\nx = 1\n\n\n# @replace attention.after\ny = 1\n"},
            f"{A}:5: attention.after is a slot: write `# @fill attention.after`",
        ),
        (
            {
                "a": "# @replace mlp.hidden\nhidden = 1\n",
                "b": "# @replace mlp.hidden\nhidden = 2\n",
            },
            "mine/b/fragments.py:1: the part mlp.hidden can be replaced once, not by "
            f"a ({A}:2) and b (mine/b/fragments.py:2); leave out one of them",
        ),
        (
            {
                "a": "# @fill block.between\nx = x\n",
                "b": "# @replace block.residual\nx = 1\n# @slot block.between\n",
                "c": "# @replace block.residual\nx = 2\n",
            },
            "mine/c/fragments.py:1: the part block.residual can be replaced once, not by "
            "b (mine/b/fragments.py:2) and c (mine/c/fragments.py:2); leave out one of them",
        ),
        (
            {"a": "# @fill main.finish\nif True:\n    x = 1\nreturn 2\nbreak\n"},
            f"{A}:5: 'break' outside loop: break",
        ),
        (
            {"a": "# @fill attention.after\ny = '''a\nb'''\n"},
            f"{A}:3: a string over several lines would change when it is indented to "
            "attention.after; keep its text in a file of the technique's folder, or in `modules`",
        ),
        (
            {"a": "# @fill main.finish\n# @if techniqes\nx = 1\n# @endif\n"},
            f"{A}:2: template: 'techniqes' is undefined",
        ),
        (
            {"a": "# @fill main.finish\n# @if x\nx = 1\n"},
            f"{A}:3: template: Unexpected end of template. Jinja was looking for the following "
            "tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'.",
        ),
        (
            {
                "a": "# @fill attention.after\ny = y * 2\n",
                "b": "# @fill attention.after\ny *= 3\n",
            },
            f"{A}:2: a and b both write y in attention.after ({A}:2, mine/b/fragments.py:2) and "
            "neither says which comes first; declare `after` or `before` in one of them",
        ),
        (
            {
                "a": "# @fill modules\ndef f():\n    x = 1\n",
                "b": "# @fill modules\ndef f():\n    x = 2\n",
            },
            f"{A}:2: a and b both write f in modules ({A}:2, mine/b/fragments.py:2) and "
            "neither says which comes first; declare `after` or `before` in one of them",
        ),
    ],
)
def test_what_does_not_fit_is_told_where_its_author_wrote_it(message, fragments, error):
    assert message(**fragments) == error


def test_a_slot_lost_inside_a_replaced_part_names_both(tree):
    host = {
        "__init__.py": '"""A host."""\nfrom pgolf_compose import Host\nhost = Host(__name__)\n',
        "train_gpt.py": "# @part outer\nx = 1\n# @slot inner.place\n# @endpart\n".replace(
            "outer", "outer.part"
        ),
    }
    folder = tree(
        {
            "small_host": host,
            "mine": {
                "a": technique("# @replace outer.part\nx = 2\n"),
                "b": technique("# @fill inner.place\ny = 1\n"),
            },
        }
    )
    library = load_library([folder / "mine"])
    from pgolf_compose.plugins import import_folder
    from pgolf_compose.technique import Host

    [small] = import_folder(folder / "small_host", "test", "host", Host)
    library.hosts["train_gpt"] = small
    recipe = read_recipe(
        tree({"x.yaml": "techniques: {a: , b: }\n"}) / "x.yaml",
    )
    with pytest.raises(ComposeError) as caught:
        render(resolve(recipe, library))
    assert str(caught.value) == (
        "mine/b/fragments.py:1: b needs inner.place, which stood inside the part outer.part, "
        "replaced by a (mine/a/fragments.py:2); leave out one of them, or let a offer the place"
    )


RECIPES = sorted(bundled_recipes())


@pytest.mark.parametrize("name", RECIPES)
def test_every_line_has_an_origin_that_holds_its_text(name):
    script = pgolf_compose.compose(name, added=["metrics"]).script
    for line, origin in zip(script.lines, script.origins, strict=True):
        source = origin.file.path.read_text(encoding="utf-8").split("\n")[origin.line - 1]
        if not line.strip() or not line.strip(" )]},"):
            continue  # blank, or brackets that black put on a line of their own
        if origin.file.path.name == "__init__.py" or origin.owner == "recipe":
            continue  # written from a declaration: its line is the declaration's
        first = line.split()[0].strip("(),")
        assert first in source, (line, source, str(origin))


@pytest.mark.parametrize("name", RECIPES)
def test_a_hyperparameter_line_comes_from_the_line_that_declares_it(name):
    script = pgolf_compose.compose(name, added=["metrics"]).script
    for line, origin in zip(script.lines, script.origins, strict=True):
        if ' = env("' in line:
            source = origin.file.path.read_text().split("\n")
            declared = " ".join(source[origin.line - 1 : origin.line + 1])
            [name] = re.findall(r'Hyperparameter\(\s*"(\w+)"', declared)[:1]
            assert line.split()[0].endswith(name)


@pytest.mark.parametrize("name", RECIPES)
def test_composing_twice_and_flattened_gives_the_same_bytes(name, tmp_path):
    build = pgolf_compose.compose(name)
    (tmp_path / "flat.yaml").write_text(flattened(build.composition, tmp_path))
    assert "extends" not in (tmp_path / "flat.yaml").read_text()
    flat = pgolf_compose.compose(tmp_path / "flat.yaml")
    assert flat.script.code == build.script.code == pgolf_compose.compose(name).script.code
    assert flat.packed == build.packed


def test_a_technique_switched_off_leaves_the_host_as_it_was(baseline):
    for name in load_library().techniques:
        off = pgolf_compose.compose("baseline", added=[name], removed=[])
        assert off.script.code != baseline.script.code, f"{name} changes nothing"
    folder = load_library().techniques
    everything = pgolf_compose.compose("baseline", added=[]).script.code
    assert folder and everything == baseline.script.code


MINE = {
    "a": ("# @fill attention.after\ny = y * 2\n", 'after=("b", "d")'),
    "b": ("# @fill attention.after\ny = y + 1\n", ""),
    "c": (
        "# @fill modules\ndef c_helper(x):\n    return x\n\n\n# @fill main.finish\nc_helper(1)\n",
        "",
    ),
    "d": ("# @replace mlp.hidden\nhidden = self.fc(x).square()\n# @slot d.offers\n", ""),
    "e": ("# @fill d.offers\nhidden = hidden * 2\n", 'requires={"d": "it offers the slot"}'),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    from conftest import write_tree

    folder = tmp_path_factory.mktemp("techniques")
    write_tree(folder, {name: technique(*parts) for name, parts in MINE.items()})
    return load_library([folder])


@settings(max_examples=25, deadline=None)
@given(chosen=st.permutations(sorted(MINE)), count=st.integers(0, len(MINE)))
def test_shuffling_the_techniques_of_a_recipe_changes_nothing(
    library, tmp_path_factory, chosen, count
):
    chosen = chosen[:count]
    if "e" in chosen and "d" not in chosen:
        chosen.append("d")
    folder = tmp_path_factory.mktemp("recipe")
    codes = set()
    for order in itertools.islice(itertools.permutations(chosen), 3):
        lines = "".join(f"  {name}:\n" for name in order)
        (folder / "x.yaml").write_text(f"techniques:\n{lines}" if lines else "techniques: {}\n")
        composition = resolve(read_recipe(find_recipe(str(folder / "x.yaml"))), library)
        codes.add(fill(composition).code)  # black knows nothing of order
    assert len(codes) == 1
