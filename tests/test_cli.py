"""The command line as a user meets it: what is written, what is printed, what is refused."""

import json
import os
import stat

import pytest
from conftest import technique

import pgolf_compose
from pgolf_compose.cli import main


def test_composing_writes_the_small_file_its_twin_and_the_map(tree, cli, baseline):
    folder = tree({}) / "out" / "baseline"
    result = cli("baseline")
    assert result.exit_code == 0
    assert sorted(os.listdir(folder)) == [
        "train_gpt.map.json",
        "train_gpt.py",
        "train_gpt_human.py",
    ]
    assert (folder / "train_gpt.py").read_bytes() == baseline.packed
    assert (folder / "train_gpt_human.py").read_bytes() == baseline.readable
    lines = json.loads((folder / "train_gpt.map.json").read_text())["lines"]
    assert len(lines) == len(baseline.script.lines)
    assert ["host", "templates/train_gpt/model.py", 1] in lines
    assert stat.S_IMODE((folder / "train_gpt.py").stat().st_mode) & 0o444 == 0o444


def test_it_prints_what_people_ask_next(tree, cli, baseline):
    tree({"x.yaml": "extends: baseline\nsettings: {matrix_lr: 0.02}\ntechniques: {metrics: }\n"})
    lines = cli("x.yaml").stdout.splitlines()
    assert lines[0].startswith("out/x/train_gpt.py        ")
    assert lines[0].endswith(" bytes, the file that counts")
    assert lines[1].startswith("out/x/train_gpt_human.py  ")
    assert lines[2] == "parameters                17,059,912"
    assert lines[3] == (
        "artifact                  about 15.60 to 15.86 of 16.00 MB allowed, going by public runs"
    )
    assert lines[4] == "rules                     not for submission: metrics is for measuring"
    assert lines[5] == (
        "changes                   + metrics, matrix_lr 0.04 -> 0.02; against baseline"
    )


def test_the_size_printed_is_the_size_of_the_file(tree, cli):
    folder = tree({})
    first = cli("baseline").stdout.splitlines()[0]
    size = (folder / "out" / "baseline" / "train_gpt.py").stat().st_size
    assert f" {size:,} bytes, " in first


def test_the_artifact_of_the_public_baseline_lies_in_the_predicted_range(baseline):
    from pgolf_compose.report import facts

    least, most = facts(baseline, len(baseline.packed)).artifact
    public = 15_815_847  # compressed model of the public run, Serialized model int8+zlib
    assert least < public + len(baseline.packed) < most


@pytest.mark.parametrize(
    ("args", "files"),
    [
        (
            ["-o", "here"],
            ["here/train_gpt.map.json", "here/train_gpt.py", "here/train_gpt_human.py"],
        ),
        (["-o", "x/run.py"], ["x/run.map.json", "x/run.py", "x/run_human.py"]),
        (["--readable"], ["out/baseline/train_gpt_human.py"]),
        (["--readable", "-o", "mine.py"], ["mine.py"]),
        (["--readable", "-o", "here"], ["here/train_gpt_human.py"]),
        (["--check"], []),
        (["--stdout"], []),
    ],
)
def test_where_the_files_go(tree, cli, args, files):
    folder = tree({})
    assert cli("baseline", *args).exit_code == 0
    written = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert sorted(written) == files


def test_options_may_come_first(tree, cli, baseline):
    tree({})
    assert cli("--readable", "--stdout", "baseline").stdout_bytes == baseline.readable
    assert cli("--stdout", "baseline").stdout_bytes == baseline.packed


def test_composing_again_replaces_what_was_composed(tree, cli):
    tree({})
    assert cli("baseline").exit_code == cli("baseline", "--set", "seed=1").exit_code == 0


def test_the_challenge_s_own_script_is_never_replaced_unasked(tree, cli, refuses):
    folder = tree({"train_gpt.py": "# the challenge's\n"})
    assert refuses("baseline", "-o", "train_gpt.py") == (
        "train_gpt.py: was not written by pgolf-compose and stays as it is; "
        "name another output with -o, or replace it with --force\n"
    )
    assert os.listdir(folder) == ["train_gpt.py"]
    assert (folder / "train_gpt.py").read_text() == "# the challenge's\n"
    assert cli("baseline", "-o", "train_gpt.py", "--force").exit_code == 0


def test_an_output_that_cannot_be_written_is_told(tree, refuses):
    folder = tree({"file": ""})
    assert refuses("baseline", "-o", "file/below") == (
        "file: is a file; name a folder to write to with -o\n"
    )
    assert os.listdir(folder) == ["file"]


def test_a_mistake_leaves_what_was_written_before(tree, cli, refuses):
    folder = tree({"x.yaml": "extends: baseline\n"})
    cli("x.yaml")
    before = (folder / "out" / "x" / "train_gpt.py").read_bytes()
    (folder / "x.yaml").write_text("extends: baseline\nsettings: {matrix_lr: fast}\n")
    assert refuses("x.yaml") == (
        "x.yaml:2:23: settings.matrix_lr is 'fast'; it wants a number, at least 0\n"
    )
    assert (folder / "out" / "x" / "train_gpt.py").read_bytes() == before


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["lst"], "there is no command or recipe lst. Did you mean list?\n"),
        (["basline"], "there is no command or recipe basline. Did you mean baseline?\n"),
        (["nowhere.yaml"], "there is no recipe file nowhere.yaml.\n"),
        (
            ["show", "mtrics"],
            "there is no technique, place or recipe mtrics. Did you mean metrics?\n",
        ),
        (
            ["show", "attention.aftr"],
            "there is no technique, place or recipe attention.aftr. Did you mean attention.after?\n",
        ),
        (["data", "tny"], "tny is no dataset. Did you mean tiny?\n"),
        (["x.yaml"], "x.yaml:1:14: not readable as YAML: mapping values are not allowed here\n"),
        (["folder/"], "folder: this is a folder, not a recipe\n"),
        (["y.yaml"], "y.yaml: this recipe is empty; write at least `techniques:`\n"),
    ],
)
def test_a_slip_is_one_line_and_code_2(tree, refuses, args, message):
    tree({"x.yaml": "techniques: a: b\n", "folder": {}, "y.yaml": ""})
    assert refuses(*args) == message


def test_unknown_options_are_refused_by_name(cli):
    result = cli("baseline", "--redable")
    assert result.exit_code == 2
    assert "No such option '--redable'. Did you mean '--readable'?" in result.stderr


def test_help_lists_the_commands(cli):
    output = cli("--help").stdout
    for name in main.list_commands(None):
        assert f"\n  {name} " in output
    assert "compose " not in output.partition("Commands:")[2]


def test_list_filters_by_word(cli):
    rows = json.loads(cli("list", "FROM_CHECKPOINT", "--json").stdout)
    assert [row["name"] for row in rows] == ["init_from_checkpoint"]
    assert cli("list", "no such thing").stderr == "nothing matches 'no such thing'\n"


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("--recipes", "baseline"),
        ("--tracks", "10min_16mb"),
        ("--places", "mlp.hidden"),
        ("--datasets", "tiny"),
    ],
)
def test_list_shows_other_things(cli, what, name):
    assert any(line.startswith(f"{name} ") for line in cli("list", what).stdout.splitlines())
    assert name in [row["name"] for row in json.loads(cli("list", what, "--json").stdout)]


def test_show_tells_all_about_a_technique(cli):
    output = cli("show", "metrics").stdout
    assert "summary    Append every number of a run" in output
    assert "  path  METRICS_PATH  metrics.jsonl  a text" in output
    assert "train.after_step         9 lines" in output
    assert json.loads(cli("show", "metrics", "--json").stdout)["settings"][0]["setting"] == "path"


def test_show_tells_who_uses_a_place(cli):
    place = json.loads(cli("show", "main.finish", "--json").stdout)
    assert (place["kind"], place["used by"]) == ("slot", "metrics")


def test_show_tells_where_each_value_of_a_recipe_came_from(tree, cli):
    tree({"x.yaml": "extends: baseline\nsettings: {seed: 7}\n"})
    output = cli("show", "x.yaml", "--set", "BETA1=0.8").stdout
    rows = {line.split()[0]: line.split()[1:] for line in output.splitlines() if line}
    assert rows["seed"] == ["7", "x.yaml:2:18"]
    assert rows["beta1"] == ["0.8", "--set", "BETA1=0.8"]
    assert rows["beta2"] == ["0.95", "default"]
    assert rows["recipe"] == ["x", "extends", "baseline"]
    values = json.loads(cli("show", "x.yaml", "--json").stdout)["values"]
    assert {"name": "seed", "value": 7, "from": "x.yaml:2:18"} in values


def test_show_lines_tells_who_wrote_each(cli, baseline):
    lines = cli("show", "baseline", "--lines", "--with", "metrics").stdout.splitlines()
    blamed = [line for line in lines if line.startswith("metrics plugins/metrics/fragments.py:")]
    assert len(blamed) > 50 and any('record_weights(h, "final", model)' in line for line in blamed)
    assert len(cli("show", "baseline", "--lines").stdout.splitlines()) == len(baseline.script.lines)


def test_show_schema_accepts_what_composes_and_refuses_what_does_not(cli):
    schema = json.loads(cli("show", "--schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    text = json.dumps(schema)
    assert (
        "matrix_lr" in text
        and "init_from_checkpoint" in text
        and '"additionalProperties": false' in text
    )
    settings = json.loads(cli("show", "metrics", "--schema").stdout)
    assert settings["properties"]["path"]["default"] == "metrics.jsonl"


def test_compose_is_a_function_too(tree):
    folder = tree({"mine": {"a": technique("# @fill main.finish\nlog(h, 1)\n")}})
    build = pgolf_compose.compose("baseline", added=["a"], plugins=[folder / "mine"])
    assert build.script.code != pgolf_compose.compose("baseline").script.code
    assert build.packed.startswith(b"#pgolf-compose\n")
