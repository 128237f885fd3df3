"""What holds for each technique, whichever there are."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from conftest import as_module, hyperparameters, run_script

import pgolf_compose
from pgolf_compose.places import read_fragments
from pgolf_compose.plugins import load_library
from pgolf_compose.shapes import parameter_shapes

TECHNIQUES = load_library().techniques


def with_needs(name: str) -> list[str]:
    """A technique and what it requires."""
    chosen = [name]
    for one in chosen:
        chosen += [need for need in TECHNIQUES[one].requires if need not in chosen]
    return chosen


@pytest.fixture(scope="module", params=sorted(TECHNIQUES))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def build(name):
    return pgolf_compose.compose("baseline", added=with_needs(name))


def test_it_declares_what_a_reader_needs(name):
    one = TECHNIQUES[name]
    assert one.summary.endswith(".") and one.summary.count(". ") == 0
    assert one.measuring or one.source
    for hyperparameter in one.hyperparameters:
        assert hyperparameter.help and not hyperparameter.help.endswith(".")


def test_it_changes_the_program_and_nothing_of_it_stays_when_it_is_off(build, baseline, name):
    assert build.script.tree != baseline.script.tree
    assert build.minified != baseline.minified
    assert pgolf_compose.compose("baseline", added=[name], removed=[name]).packed == baseline.packed


def test_the_techniques_it_names_exist(name):
    one = TECHNIQUES[name]
    assert {*one.requires, *one.conflicts, *one.after, *one.before} <= set(TECHNIQUES)


def test_every_hyperparameter_of_it_is_read(build, name):
    for one in TECHNIQUES[name].hyperparameters:
        assert f"{TECHNIQUES[name].attribute(one)} = env(" in build.script.code


def test_the_composed_script_is_lint_clean(build, tmp_path):
    path = tmp_path / "train_gpt.py"
    path.write_bytes(build.readable)
    command = [sys.executable, "-m", "ruff", "check", "--select", "F,E9", "--isolated", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_line_is_wider_than_100_columns(build):
    assert [line for line in build.script.lines if len(line) > 100] == []


def test_parameters_are_counted_without_torch_as_with_it(build):
    module = as_module(build)
    with module.torch.device("meta"):
        model = module.GPT(hyperparameters(module))
    with_torch = {key: tuple(p.shape) for key, p in model.named_parameters()}
    assert parameter_shapes(build.script) == with_torch


def test_it_trains_quantises_reads_back_and_scores(build, name, tmp_path, tiny):
    checkpoint = tmp_path / "init.npz"
    if name == "init_from_checkpoint":
        module = as_module(build)
        model = module.GPT(
            hyperparameters(
                module, num_layers=3, model_dim=32, num_heads=4, num_kv_heads=2, vocab_size=512
            )
        )
        np.savez(checkpoint, **{key: p.detach().numpy() for key, p in model.named_parameters()})
    env = {"DATA_DIR": str(tiny), "ITERATIONS": "2", "INIT_CHECKPOINT": str(checkpoint)}
    ran = run_script(build.packed, tmp_path, **env)
    assert ran.exit_code == 0, ran.stderr
    assert "nan" not in ran.stdout and "step:2/2 train_loss:" in ran.stdout
    assert "final_" in ran.stdout.splitlines()[-1] and "_exact val_loss:" in ran.stdout


PAIRS = [
    pair
    for pair in itertools.combinations(sorted(TECHNIQUES), 2)
    if not set(TECHNIQUES[pair[0]].conflicts) & {pair[1]}
    and not set(TECHNIQUES[pair[1]].conflicts) & {pair[0]}
]


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_it_composes_with_every_other(pair):
    added = list(dict.fromkeys(itertools.chain.from_iterable(map(with_needs, pair))))
    build = pgolf_compose.compose("baseline", added=added)
    assert {one.name for one in build.composition.techniques} == set(added)


def test_fragments_are_short_enough_to_read(name):
    assert sum(len(one.origins) for one in read_fragments(TECHNIQUES[name])) <= 150
