import pytest
from conftest import technique

from pgolf_compose import ComposeError
from pgolf_compose.places import read_fragments, read_places
from pgolf_compose.plugins import load_library


def fragments_of(folder, text):
    folder({"mine": {"a": technique(text)}})
    library = load_library([folder({}) / "mine"])
    return read_fragments(library.techniques["a"])


def test_what_stands_under_a_directive_is_a_fragment(tree):
    fill, replace = fragments_of(
        tree,
        "# @fill attention.after\ny = y * 2\n\n\n# @replace mlp.hidden\n\n# squared\nhidden = x\n\n",
    )
    assert (fill.verb, fill.place, fill.code) == ("fill", "attention.after", "y = y * 2\n")
    assert str(fill.origin) == "mine/a/fragments.py:2"
    assert (replace.verb, replace.place) == ("replace", "mlp.hidden")
    assert replace.code == "# squared\nhidden = x\n"
    assert str(replace.origins[1]) == "mine/a/fragments.py:8"


AT = "mine/a/fragments.py"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "x = 1\n# @fill a.b\ny = 1\n",
            f"{AT}:1: code before the first `# @fill PLACE` or `# @replace PLACE`",
        ),
        (
            "",
            f"{AT}: holds no fragment; write `# @fill PLACE` or `# @replace PLACE` and code under it",
        ),
        ("# @fill a.b\n\n# @fill a.c\nx = 1\n", f"{AT}:1: nothing stands under `# @fill a.b`"),
        ("# @fill a.b\nif x\n    y = 1\n", f"{AT}:2:5: expected ':': if x"),
        (
            "# @fill attention\nx = 1\n",
            f"{AT}:1: 'attention' is no name of a place; one is written like attention.after",
        ),
        (
            "# @fill a.b\n# @torch.compile\nx = 1\n",
            f"{AT}:2: `# @torch.compile` reads as a directive, but there is no `# @torch.compile`; "
            "write `# @endpart`, `# @fill`, `# @fill?`, `# @part`, `# @replace`, `# @scope`, "
            "`# @slot`, or put a word before the `@`",
        ),
        (
            '# @fill a.b\ndef f():\n    """\n    # @if this\n    """\n',
            f"{AT}:4: `# @if this` stands in a string but reads as a directive; "
            "put a word before its `#`",
        ),
        (
            "# @fill a.b\nif x:\n    # @fill a.c\n    y = 1\n",
            f"{AT}:3: `# @fill a.c` starts a fragment: begin it in the first column",
        ),
        (
            "# @fill a.b\nx = '\ufdd0'\n",
            f"{AT}:2: the character U+FDD0 is used to track lines; remove it",
        ),
    ],
)
def test_a_slip_in_fragments_is_told_in_their_own_file(tree, text, message):
    with pytest.raises(ComposeError) as caught:
        fragments_of(tree, text)
    assert str(caught.value) == message


def test_every_place_of_the_host_says_what_is_in_scope():
    places = read_places(load_library().hosts["train_gpt"])
    silent = [name for name, place in places.items() if not place.scope and name != "header"]
    assert len(places) > 40 and silent == []
    assert places["attention.after"].scope.startswith("self, x (B, T, D)")
    assert (places["mlp.hidden"].kind, places["mlp.init"].kind) == ("part", "slot")
