"""`audit` over folders that `submit` made, and over what becomes of them."""

import json
import os
import shutil

import pytest
from click.testing import CliRunner
from conftest import write_tree
from logs_of_runs import log_of

from pgolf_compose.audit import CHECKS, audit
from pgolf_compose.cli import main
from pgolf_compose.files import sha256
from pgolf_compose.plugins import load_library

SEEDS = (42, 314, 999)
QUICK = [name for name in CHECKS if name != "recipe"]


@pytest.fixture(scope="module")
def library():
    return load_library()


def made(root, recipe: dict, seeds=SEEDS):
    """The folder that `submit` makes of a recipe and logs of its script."""
    home = write_tree(root, recipe)
    here = os.getcwd()
    os.chdir(home)
    try:

        def run(*args):
            result = CliRunner().invoke(
                main, ["submit", "mine.yaml", "--date", "2026-04-05", *args]
            )
            assert result.exit_code == 0, result.output + str(result.exception)
            return next((home / "records").glob("*/*"))

        size = (run() / "train_gpt.py").stat().st_size
        shutil.rmtree(home / "records")
        logs = write_tree(home / "logs", {f"{seed}.txt": log_of(seed, size) for seed in seeds})
        return run("--logs", *(str(logs / f"{seed}.txt") for seed in seeds))
    finally:
        os.chdir(here)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    text = (
        "extends: baseline\nsettings: {matrix_lr: 0.02}\n"
        "submission: {name: Slower matrices, author: me, github_id: me, seeds: [42, 314, 999]}\n"
    )
    return made(tmp_path_factory.mktemp("ours"), {"mine.yaml": text})


@pytest.fixture
def folder(ours, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(ours, tmp_path / ours.parent.name / ours.name)


def errors(folder, library, checks=QUICK) -> dict[str, str]:
    """Each error's text by its place."""
    report = audit(folder, library=library, checks=checks)
    return {str(one.where): one.what for one in report.errors}


def line_with(path, words: str) -> int:
    lines = path.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if words in line)


def changed(path, old: str, new: str) -> int:
    """Put one text in another's place, once; the line."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text.count("\n", 0, text.index(old)) + 1


def test_what_submit_makes_passes_and_says_why(folder, cli, monkeypatch):
    monkeypatch.chdir(folder.parent)
    result = cli("audit", folder.name)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert not [line for line in lines if line.startswith(("error", "warning", "not checked"))]
    size, log = (folder / "train_gpt.py").stat().st_size, (folder / "train_seed42.log").read_text()
    model = int(log.partition("Serialized model int8+zlib: ")[2].split()[0])
    line = line_with(folder / "train_seed42.log", "Serialized model int8+zlib")
    stated = line_with(folder / "submission.json", f": {size + model}")
    told = (
        f"ok: bytes: train_gpt.py {size:,} + model {model:,} (train_seed42.log:{line}) = "
        f"{size + model:,}, as submission.json:{stated} says, within 16,000,000"
    )
    assert told in lines
    recipe = len((folder / "recipe.yaml").read_text().splitlines())
    for name in ("train_gpt.py", "train_gpt_human.py"):
        start = f"ok: recipe.yaml: these {recipe} lines give exactly {name}, "
        assert any(line.startswith(start) for line in lines)
    assert lines[-1] == f"{folder.name} passes: nothing found by {len(CHECKS)} checks"


def test_a_log_that_is_gone_is_missed(folder, library):
    (folder / "train_seed314.log").unlink()
    found = errors(folder, library)
    line = line_with(folder / "submission.json", '"314": {') + 1
    assert found[f"submission.json:{line}"] == "names seed 314, of which there is no log"
    line = line_with(folder / "README.md", "| 314 | 1.2")
    assert found[f"README.md:{line}:3"] == "tells of seed 314, of which there is no log"


@pytest.mark.parametrize("place", range(7))
def test_a_changed_digit_of_a_score_in_the_readme_is_found(folder, library, place):
    readme = folder / "README.md"
    line = line_with(readme, "| 314 | 1.2")
    score = readme.read_text().splitlines()[line - 1].split("|")[2].strip()
    digits = [n for n, char in enumerate(score) if char.isdigit()]
    at = digits[place]
    wrong = f"{score[:at]}{(int(score[at]) + 1) % 10}{score[at + 1 :]}"
    changed(readme, score, wrong)
    found = errors(folder, library)
    (where,) = [place for place in found if place.startswith(f"README.md:{line}:")]
    assert found[where].startswith(f"{wrong}: no log of seed 314 contains this number; nearest is")
    if place > 2:  # before that another number is nearer
        assert f"{score} (train_seed314.log:" in found[where]


def test_every_figure_of_the_results_is_held_to_the_logs(folder, library):
    readme = folder / "README.md"
    row = readme.read_text().splitlines()[line_with(readme, "| 42 | 1.2") - 1]
    for cell in filter(None, map(str.strip, row.split("|")[2:])):
        wrong = cell[:-1] + str((int(cell[-1]) + 4) % 10)
        text = readme.read_text()
        line = changed(readme, f" {cell} |", f" {wrong} |")
        found = errors(folder, library, ["numbers"])
        assert [place for place in found if place.startswith(f"README.md:{line}:")], cell
        readme.write_text(text)
    assert not errors(folder, library, ["numbers"])


def test_a_changed_digit_in_the_json_is_found(folder, library):
    path = folder / "submission.json"
    for key in ("val_bpb", "val_loss", "bytes_total", "bytes_code", "val_bpb_std", "steps"):
        text = path.read_text()
        line = line_with(path, f'"{key}": ')
        value = text.splitlines()[line - 1].partition(": ")[2].rstrip(",")
        wrong = value[:-1] + str((int(value[-1]) + 3) % 10)
        changed(path, f'"{key}": {value}', f'"{key}": {wrong}')
        report = audit(folder, library=library, checks=["json and logs"])
        found = [one for one in report.findings if str(one.where) == f"submission.json:{line}"]
        assert found and (found[0].level == "error" or key == "val_bpb_std"), key
        path.write_text(text)


def test_a_changed_digit_in_a_log_is_found(folder, library):
    log = folder / "train_seed999.log"
    score = log.read_text().split("val_bpb:")[-1].strip()
    changed(log, f"val_bpb:{score}", f"val_bpb:{score[:-2]}{(int(score[-2]) + 1) % 10}{score[-1]}")
    found = errors(folder, library)
    assert "sha256 differs" in found["train_seed999.log"]
    line = line_with(folder / "submission.json", f'"val_bpb": {score}')
    last = len(log.read_text().splitlines())
    assert f"for seed 999; train_seed999.log:{last} has" in found[f"submission.json:{line}"]
    line = line_with(folder / "README.md", f"| 999 | {score} |")
    assert any(place.startswith(f"README.md:{line}:") for place in found)


def test_a_byte_more_in_the_script_is_found(folder, library):
    script = folder / "train_gpt.py"
    before = script.read_bytes()
    script.write_bytes(before + b"\n")
    found = errors(folder, library, CHECKS)
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    what = found[f"train_gpt.py:{line}:{column}"]
    start = f"is not what recipe.yaml composes to: {len(before) + 1:,} bytes for {len(before):,}"
    assert what.startswith(start) and "the text inside is the same" in what
    line = line_with(folder / "train_seed42.log", "Code size")
    assert "1 bytes are not counted" in found[f"train_seed42.log:{line}"]


def test_a_readable_twin_that_says_something_else_is_found(folder, library):
    line = changed(folder / "train_gpt_human.py", "import copy\n", "import math as copy\n")
    found = errors(folder, library, ["recipe"])
    assert [place for place in found if place.startswith(f"train_gpt_human.py:{line}:")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("We add SmearGate to the embedding.", "smear_gate"),
        ("- **Depth recurrence** of layers 3 to 5", "depth_recurrence"),
        ("| Full-Hessian GPTQ | int6 |", "gptq"),
        ("### Legal TTT", "score_first_ttt"),
        ("Layers 3-5 are looped twice.", "depth_recurrence"),
        ("| model | ParallelResid |", "parallel_residual"),
    ],
)
def test_a_technique_that_the_script_does_not_have_is_found(folder, library, text, name):
    readme = folder / "README.md"
    readme.write_text(f"{readme.read_text()}\n## The idea\n\n{text}\n")
    line = line_with(readme, text)
    found = errors(folder, library)
    ((where, what),) = found.items()
    assert where.startswith(f"README.md:{line}:")
    assert what == f"claims {name}, of which train_gpt.py shows nothing"


def test_a_row_of_a_table_that_names_an_absent_technique_is_found(folder, library):
    readme = folder / "README.md"
    row = "| `swa` | Average the weights instead of taking the last ones. |"
    readme.write_text(
        f"{readme.read_text()}\n## Techniques\n\n| technique | what |\n|---|---|\n{row}\n"
    )
    assert f"README.md:{line_with(readme, row)}:4" in errors(folder, library)


@pytest.mark.parametrize(
    "text",
    [
        "We do not use SmearGate.",
        "SmearGate was tried and hurt.",
        "No depth recurrence, no GPTQ, no TTT.",
        "PR #1787 adds SmearGate; we add nothing.",
        "## What did not work\n\n- SmearGate: 1.2301 bpb",
        "## Credits\n\n- SmearGate and GPTQ by others",
        "```\nsmear gate = smear_gate\n```",
    ],
)
def test_what_is_denied_or_another_s_is_no_claim(folder, library, text):
    readme = folder / "README.md"
    readme.write_text(f"{readme.read_text()}\n{text}\n")
    assert not errors(folder, library, ["techniques"])


def test_a_stranger_s_techniques_are_not_imported_without_consent(folder, cli, tmp_path):
    ran = tmp_path / "ran"
    code = f"import pathlib\npathlib.Path({str(ran)!r}).write_text('x')\nraise SystemExit\n"
    write_tree(folder, {"techniques": {"idle": {"__init__.py": code, "fragments.py": ""}}})
    recipe = folder / "recipe.yaml"
    recipe.write_text(f"{recipe.read_text()}plugins: [techniques]\n")
    result = cli("audit", folder)
    assert not ran.exists()
    assert "not checked: what recipe.yaml composes to" in result.stdout
    assert "--recompose allows it" in result.stdout
    cli("audit", folder, "--recompose")
    assert ran.read_text() == "x"


def test_the_exit_code_and_json_say_whether_it_passes(folder, cli, refuses):
    (folder / "README.md").unlink()
    result = cli("audit", folder, "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["passes"]) == (1, False)
    assert {key: told["findings"][0][key] for key in ("level", "file", "line", "column")} == {
        "level": "error",
        "file": "README.md",
        "line": None,
        "column": None,
    }
    assert {"what": "the README's numbers", "why": "there is no README"} in told["unchecked"]
    assert refuses("audit", folder / "nowhere").endswith("nowhere: there is no such folder\n")
    script = folder / "train_gpt.py"
    assert refuses("audit", script).endswith("train_gpt.py: audit takes a submission's folder\n")
    assert "is no track" in refuses("audit", folder, "--track", "none")


def test_our_json_keeps_our_schema(folder, library):
    path = folder / "submission.json"
    line = changed(path, '"pgolf_compose": "', '"pgolf_composed": "')
    found = errors(folder, library, ["json"])
    assert found == {
        f"submission.json:{line - 1}": "built_with.pgolf_compose: field required, by our JSON Schema"
    }


def test_a_recipe_that_leads_out_of_the_folder_is_not_read(folder, library):
    (folder / "recipe.yaml").write_text("extends: ../../../somebody/elses.yaml\n")
    report = audit(folder, library=library, checks=["recipe"])
    assert [one.why for one in report.unchecked] == [
        "it extends '../../../somebody/elses.yaml', which is no recipe of ours"
    ]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("README.md", "is the same program, readable", "is the same program, legible"),
        ("README.md", "train_seed314.log:16`", "train_seed314.log:17`"),
        ("README.md", "of at least 3 seeds", "of at least 4 seeds"),
        ("README.md", "2026-04-05_mine/requirements", "2026-04-06_mine/requirements"),
        ("submission.json", '"date": "2026-04-05"', '"date": "2026-04-06"'),
        ("submission.json", '"steps": 13', '"steps": 14'),
        ("recipe.yaml", "matrix_lr: 0.02", "matrix_lr:  0.02"),
        ("requirements.txt", "torch", "torch2"),
    ],
)
def test_the_line_that_changed_since_submit_is_told(folder, library, name, old, new):
    line = changed(folder / name, old, new)
    report = audit(folder, library=library, checks=["hashes"])
    (place,) = {f"{one.where.file}:{one.where.line}" for one in report.errors}
    assert place == f"{name}:{line}"


def test_a_digest_that_is_not_the_file_s_is_told_at_the_digest(folder, library):
    about = folder / "submission.json"
    digest = json.loads(about.read_text())["built_with"]["sha256"]["requirements.txt"]
    line = changed(about, digest, digest[::-1])
    report = audit(folder, library=library, checks=["hashes"])
    assert [str(one.where) for one in report.errors] == [f"submission.json:{line}"]


def test_a_log_of_any_size_is_held_to_its_digest(folder, library):
    log, about = folder / "train_seed42.log", folder / "submission.json"
    before = sha256(log)
    log.write_text("x" * 5_000_000 + "\n" + log.read_text())
    changed(about, before, sha256(log))
    report = audit(folder, library=library, checks=["hashes"])
    assert not report.findings


def test_what_submit_kept_and_how_it_packed_is_composed_so_again(tmp_path, library):
    text = "extends: baseline\nsubmission: {author: me, github_id: me}\n"
    write_tree(tmp_path, {"mine.yaml": text})
    options = ["--keep", "MATRIX_LR", "--date", "2026-04-05", "-o", str(tmp_path)]
    result = CliRunner().invoke(main, ["submit", str(tmp_path / "mine.yaml"), *options])
    assert result.exit_code == 0, result.output
    home = next((tmp_path / "records").glob("*/*"))
    report = audit(home, library=library, checks=["recipe", "hashes"])
    assert not report.findings and len(report.passed) == 3
