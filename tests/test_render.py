import functools
import json
import re
import textwrap

import pytest
from conftest import ROOT, technique
from hypothesis import given, settings
from hypothesis import strategies as st
from sets import covering_array

import pgolf_compose
from pgolf_compose import ComposeError
from pgolf_compose.build import resolve_recipe
from pgolf_compose.flatten import flattened
from pgolf_compose.plugins import load_library
from pgolf_compose.recipe import bundled_recipes, read_recipe
from pgolf_compose.render import fill, render
from pgolf_compose.resolve import resolve
from pgolf_compose.script import drop_unused


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
    watcher = "# @fill? adapter.done\nlog(h, loss)\n"
    assert written_by(compose(b=watcher, a="# @fill main.finish\nx = 1\n"), "b") == []
    adapter = "# @fill main.finish\nloss = 1\n# @slot adapter.done\n"
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
        y = rotate(len(max(y, v, a_rather_long_argument=1), another_long_argument=2), last_one_of_all=3, more=4)
        y = (  # why
            y
        )
        """,
    )
    assert written_by(script, "a") == [
        "y = rotate(",
        "len(max(y, v, a_rather_long_argument=1), another_long_argument=2),",
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


def test_braces_in_a_setting_are_text_unless_they_name_a_value(tree):
    folder = tree(
        {
            "x.yaml": "extends: baseline\nsettings:\n"
            "  data_path: \"{data_dir}/{open('pwned', 'w')} {x y} {{\"\n"
        }
    )
    code = pgolf_compose.compose(folder / "x.yaml").script.code
    assert """env("DATA_PATH", f"{data_dir}/{{open('pwned', 'w')}} {{x y}} {{{{")""" in code, code
    assert not (folder / "pwned").exists()


def test_lines_that_only_look_like_line_ends_stay(compose):
    text = "# @fill main.finish\nlog(h, 'a\u2028b\x0cc')\n"
    assert 'log(h, "a\u2028b\x0cc")' in compose(a=text).code


def test_a_helper_of_the_host_that_nothing_uses_is_not_in_the_script(compose, baseline):
    assert "def fraction_done" not in baseline.script.code
    text = "# @fill schedule.step\nlog(h, fraction_done(h, step, elapsed, cap))\n"
    assert "def fraction_done" in compose(a=text).code


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
                "a": '# @fill quantize.before\nstate["a"] = 1\n',
                "b": '# @fill quantize.before\nstate["b"] = 1\n',
            },
            f"{A}:2: a and b both write state[...] in quantize.before ({A}:2, "
            "mine/b/fragments.py:2) and neither says which comes first; "
            "declare `after` or `before` in one of them",
        ),
        (
            {"a": "# @fill modules\ndef rms_norm(x):\n    return x\n"},
            f"templates/train_gpt/model.py: rms_norm is defined here and at {A}:2; rename one",
        ),
        (
            {
                "a": "# @fill attention.after\ny = self.scale(y)\n\n\n# @fill main.finish\nlogg(h, 1)\n"
            },
            f"{A}:6: logg is defined nowhere. Did you mean log?",
        ),
        (
            {"a": "# @fill main.finish\nlog(h, h.matrix_rl)\n"},
            f"{A}:2: h.matrix_rl is no hyperparameter. Did you mean matrix_lr?",
        ),
        (
            {"a": "# @fill mlp.init\n# @slot mlp.init\nself.x = 1\n"},
            f"{A}:2: mlp.init is offered by its own fragment; rename one of them",
        ),
        (
            {"a": "# @fill main.finish\nx = 1\n# @slot mlp.output\n"},
            f"{A}:3: mlp.output is already at templates/train_gpt/model.py; a place stands once",
        ),
        (
            {"a": '# @fill main.finish\n# @include "nope.py"\nx = 1\n'},
            f"{A}:2: there is no template nope.py in train_gpt",
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
    # lines of the host move as it grows: its file is enough
    told = re.sub(rf"{ROOT}/(templates/\w+/\w+\.py):\d+", r"\1", message(**fragments))
    assert told == error


def test_a_slot_lost_inside_a_replaced_part_names_both(tree):
    host = {
        "__init__.py": '"""A host."""\nfrom pgolf_compose import Host\nhost = Host(__name__)\n',
        "train_gpt.py": "# @part outer\nx = 1\n# @slot inner.place\n# @endpart\n".replace(
            "outer", "outer.part"
        ),
    }
    folder = tree(
        {
            "train_gpt": host,
            "mine": {
                "a": technique("# @replace outer.part\nx = 2\n"),
                "b": technique("# @fill inner.place\ny = 1\n"),
            },
        }
    )
    library = load_library([folder / "mine"])
    from pgolf_compose.plugins import import_folder
    from pgolf_compose.technique import Host

    [small] = import_folder(folder / "train_gpt", "test", "host", Host)
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


@functools.cache
def lines_of(path):
    return path.read_text(encoding="utf-8").split("\n")


# every technique is in one of a few scripts; `make test-all` looks at every recipe as well
SCRIPTS = [
    *(pytest.param(("baseline", added), id=str(n)) for n, added in enumerate(covering_array(1))),
    *(pytest.param((name, ["metrics"]), id=name, marks=pytest.mark.exhaustive) for name in RECIPES),
]


@pytest.fixture(scope="module", params=SCRIPTS)
def script(request):
    name, added = request.param
    return pgolf_compose.compose(name, added=added, allow_noncompliant=True).script


def test_every_line_has_an_origin_that_holds_its_text(script):
    for line, origin in zip(script.lines, script.origins, strict=True):
        source = lines_of(origin.file.path)[origin.line - 1]
        if not line.strip() or not line.strip(" )]},"):
            continue  # blank, or brackets that black put on a line of their own
        if origin.file.path.name == "__init__.py" or origin.owner == "recipe":
            continue  # written from a declaration: its line is the declaration's
        first = line.split()[0].strip("(),")
        assert first in source, (line, source, str(origin))


def test_a_hyperparameter_line_comes_from_the_line_that_declares_it(script):
    for line, origin in zip(script.lines, script.origins, strict=True):
        if ' = env("' in line and origin.file.path.name == "__init__.py":
            source = lines_of(origin.file.path)
            declared = " ".join(source[origin.line - 1 : origin.line + 1])
            attribute = line.split()[0]
            if origin.line == 1:  # a technique's switch: its declaration is the file's
                assert any(f'switch="{attribute.upper()}' in one for one in source)
                continue
            [name] = re.findall(r'(?:Hyperparameter|choice)\(\s*"(\w+)"', declared)[:1]
            assert attribute.endswith(name)


@pytest.mark.parametrize("name", RECIPES)
def test_flattened_it_gives_the_same_script(name, tmp_path):
    _, composition = resolve_recipe(name)
    text = flattened(composition)
    assert "extends:" not in text and "val_bpb:" not in text
    (tmp_path / "flat.yaml").write_text(text)
    _, flat = resolve_recipe(tmp_path / "flat.yaml")
    assert fill(flat).code == fill(composition).code


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


@st.composite
def recipes(draw):
    """Techniques of a test in any order, with a few of the host's settings."""
    chosen = draw(st.permutations(sorted(MINE)))[: draw(st.integers(0, len(MINE)))]
    if "e" in chosen and "d" not in chosen:
        chosen.append("d")
    settings = {}
    for key, value in (
        ("seed", st.integers(0, 2**32 - 1)),
        ("matrix_lr", st.floats(0, 1)),
        ("tie_embeddings", st.booleans()),
        ("run_id", st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8)),
    ):
        if draw(st.booleans()):
            settings[key] = draw(value)
    return chosen, settings


def composed(library, folder, chosen, values):
    """The composition and script, before black, of a recipe written out."""
    path = folder / "x.yaml"
    path.write_text(json.dumps({"techniques": dict.fromkeys(chosen), "settings": values}))
    composition = resolve(read_recipe(path), library)
    return composition, drop_unused(fill(composition))


@settings(max_examples=5, deadline=None)
@given(recipe=recipes(), data=st.data())
def test_order_does_not_matter_and_every_line_has_its_origin(
    library, tmp_path_factory, recipe, data
):
    chosen, values = recipe
    folder = tmp_path_factory.mktemp("recipe")
    composition, script = composed(library, folder, chosen, values)
    # shuffled, and once more as it was: the same bytes
    for order in (data.draw(st.permutations(chosen)), chosen):
        assert composed(library, folder, order, values)[1].code == script.code
    # flattened: the same bytes
    (folder / "flat.yaml").write_text(flattened(composition, []))
    flat = resolve(read_recipe(folder / "flat.yaml"), library)
    assert drop_unused(fill(flat)).code == script.code
    # every line that is not written from a declaration stands where its origin says
    for line, origin in zip(script.lines, script.origins, strict=True):
        if origin.file.path.name != "__init__.py" and origin.owner != "recipe":
            source = lines_of(origin.file.path)[origin.line - 1]
            assert line.strip() == source.strip() or line.startswith(("import ", "from "))
