import pytest

from pgolf_compose.errors import ComposeError
from pgolf_compose.yaml_file import read_scalar, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("32_768", 32768),
        ("on", "on"),
        ("no", "no"),
        ("010", 10),
        ("12:30:00", "12:30:00"),
        ("2026-04-05", "2026-04-05"),
        ("0x10", 16),
        (".5", 0.5),
        ("true", True),
        ("'5'", "5"),
        ("~", None),
        ("[9, 10]", [9, 10]),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    assert read_scalar(text, "test") == value
    assert type(read_scalar(text, "test")) is type(value)


def test_every_value_and_key_knows_its_line_and_column(tree):
    path = tree({"a.yaml": "techniques:\n  xsa: {last_n: 4}\n"}) / "a.yaml"
    document = read_yaml(path)
    assert str(document.key("techniques", "xsa", "last_n")) == "a.yaml:2:9"
    assert str(document.where("techniques", "xsa", "last_n")) == "a.yaml:2:17"
    assert str(document.where("techniques", "xsa", "other")) == "a.yaml:2:8"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "a.yaml:2:1: a stands here twice, first on line 1"),
        (
            "a: [1\n",
            "a.yaml:2:1: not readable as YAML: expected ',' or ']', but got '<stream end>'",
        ),
        ("a: b: c\n", "a.yaml:1:5: not readable as YAML: mapping values are not allowed here"),
        (
            "a: &x 1\nb: *x\n",
            "a.yaml:2:4: not readable as YAML: anchors and aliases are not used in recipes; "
            "write `extends`",
        ),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "a.yaml:1:4: the tag tag:yaml.org,2002:python/object/apply:os.system would build a "
            "Python object; recipes hold plain values only",
        ),
        ("a: !!int x\n", "a.yaml:1:4: 'x' does not read as int"),
        ("? [a]\n: 1\n", "a.yaml:1:3: a key must be a name"),
        ("[" * 5000, "a.yaml: nested too deeply for a recipe"),
        ("a: 1\n--- b\n", "a.yaml:2:1: not readable as YAML: but found another document"),
    ],
)
def test_what_is_wrong_is_told_by_line_and_column(tree, text, message):
    path = tree({"a.yaml": text}) / "a.yaml"
    with pytest.raises(ComposeError) as caught:
        read_yaml(path)
    assert str(caught.value).replace(str(path), "a.yaml") == message


def test_a_file_that_is_not_text_is_refused(tree):
    path = tree({"a.yaml": b"\xff\xfe\x00"}) / "a.yaml"
    with pytest.raises(ComposeError, match="not UTF-8"):
        read_yaml(path)
