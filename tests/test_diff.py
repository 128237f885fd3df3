import json


def test_two_recipes_differ_by_technique_value_and_text(tree, cli):
    tree({"x.yaml": "extends: baseline\ntechniques: {metrics: }\nsettings: {matrix_lr: 0.02}\n"})
    result = cli("diff", "baseline", "x.yaml")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[:3] == ["+ metrics", "matrix_lr 0.04 -> 0.02", ""]
    assert '-    matrix_lr = env("MATRIX_LR", 0.04, least=0)  # of matrices, under Muon' in lines
    assert '+    matrix_lr = env("MATRIX_LR", 0.02, least=0)  # of matrices, under Muon' in lines


def test_a_recipe_and_itself_do_not_differ(tree, cli):
    tree({"x.yaml": "extends: baseline\nname: other\n"})
    for other in ("baseline", "x.yaml"):
        result = cli("diff", "baseline", other)
        assert (result.exit_code, result.stdout) == (0, "")


def test_a_recipe_and_its_own_readable_script_do_not_differ(tree, cli, refuses):
    tree({})
    cli("baseline", "-o", "here")
    result = cli("diff", "baseline", "here/train_gpt_human.py")
    assert (result.exit_code, result.stdout) == (0, "")
    assert refuses("diff", "baseline", "here/train_gpt.py") == (
        "here/train_gpt.py: is packed; compare its readable twin, or with --run what it computes\n"
    )


def test_scripts_are_compared_as_text(tree, cli):
    tree({"a.py": "x = 1\n", "b.py": "x = 2\n"})
    found = json.loads(cli("diff", "a.py", "b.py", "--json").stdout)
    assert found == {
        "composition": [],
        "text": ["--- a.py", "+++ b.py", "@@ -1 +1 @@", "-x = 1", "+x = 2"],
    }


def test_a_script_that_is_not_there_is_told(refuses):
    assert refuses("diff", "baseline", "nowhere.py") == "nowhere.py: there is no such file\n"
