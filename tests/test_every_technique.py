"""What holds for each technique, whichever there are: alone, under every choice, and in company."""

import functools
import itertools
import subprocess
import sys

import numpy as np
import pytest
from conftest import ANY, SMALL, as_module, hyperparameters, run_script
from sets import (
    TECHNIQUES,
    Set,
    choices,
    covering_array,
    each_option,
    exclude_each_other,
    random_sets,
    valid,
    valid_pairs,
    with_needs,
)

import pgolf_compose
from pgolf_compose.places import read_fragments
from pgolf_compose.shapes import parameter_shapes


def composed(chosen: Set, *more: str):
    """The baseline with these techniques, what they require and `more`."""
    return cached(tuple(with_needs([*chosen, *more])), tuple(choices(chosen)))


@functools.lru_cache(maxsize=4)
def cached(added: tuple[str, ...], set: tuple[str, ...]):
    return pgolf_compose.compose("baseline", added=added, set=set, allow_noncompliant=True)


def together(names) -> Set:
    """These techniques and what they require, as they are."""
    return {name: {} for name in with_needs(names)}


@pytest.fixture(scope="module", params=sorted(TECHNIQUES))
def name(request):
    return request.param


@pytest.fixture(scope="module", params=each_option(), ids=lambda one: " ".join(choices(one) or one))
def alone(request):
    """A set of one technique."""
    return request.param


@pytest.fixture(scope="module")
def build(alone):
    return composed(alone)


def test_it_declares_what_a_reader_needs(name):
    one = TECHNIQUES[name]
    assert one.summary.endswith(".") and one.summary.count(". ") == 0
    assert one.measuring or one.source
    for hyperparameter in one.hyperparameters:
        assert hyperparameter.help and not hyperparameter.help.endswith(".")


def test_the_techniques_it_names_exist(name):
    one = TECHNIQUES[name]
    assert {*one.requires, *one.conflicts, *one.after, *one.before} <= set(TECHNIQUES)


def test_fragments_are_short_enough_to_read(name):
    assert sum(len(one.origins) for one in read_fragments(TECHNIQUES[name])) <= 150


def test_nothing_stays_of_what_is_off(baseline):
    every = sorted(TECHNIQUES)
    off = pgolf_compose.compose("baseline", added=every, removed=every)
    assert off.script.code == baseline.script.code


def test_every_hyperparameter_of_it_is_read_under_some_choice(name):
    one = TECHNIQUES[name]
    unread = {one.attribute(each) for each in one.hyperparameters if not each.settled}
    for way in (way for way in each_option() if name in way):
        code = composed(way).script.code if unread else ""
        unread = {attribute for attribute in unread if f"{attribute} = env(" not in code}
    assert unread == set()


def test_it_changes_the_program(alone, build):
    [name] = alone
    without = composed(together([name] if choices(alone) else TECHNIQUES[name].requires))
    assert program(build) != program(without)


def program(build) -> list[str]:
    """What stands below the hyperparameters."""
    settings = next(
        n for n in build.script.tree.body if getattr(n, "name", "") == "Hyperparameters"
    )
    return build.script.lines[settings.end_lineno :]


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


def test_every_parameter_has_a_gradient_or_is_declared_frozen(build):
    module = as_module(build)
    h = small(module)
    model = module.GPT(h)
    ids = module.torch.arange(2 * h.train_seq_len).view(2, -1) % h.vocab_size
    model(ids, ids).mean().backward()
    module.make_optimizers(h, model)  # stops where a parameter is in no group, or in two
    assert [key for key, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


SMALL_MODEL = {
    "num_layers": 3,
    "model_dim": 32,
    "num_heads": 4,
    "num_kv_heads": 2,
    "vocab_size": 512,
    "train_seq_len": 32,
    "rope_dims": 4,
    "rope_train_seq_len": 16,
    "loop_start": 1,
    "loop_end": 1,
    "parallel_residual_start": 2,
    "recur_layers": (1,),
    "repeat_untie_mlp_layers": (1,),
}


def small(module):
    known = {
        key: value for key, value in SMALL_MODEL.items() if hasattr(module.Hyperparameters, key)
    }
    return hyperparameters(module, **known)


def goes_through(chosen: Set, folder, data, packed=False, **env) -> list[float]:
    """Compose, train two steps, write, read back and score; the losses, last the score's."""
    checkpoint = folder / "init.npz"
    if "init_from_checkpoint" in chosen:
        others = {name: chosen[name] for name in chosen if name != "init_from_checkpoint"}
        module = as_module(composed(others))
        model = module.GPT(small(module))
        np.savez(checkpoint, **{key: p.detach().numpy() for key, p in model.named_parameters()})
    given = {"ITERATIONS": "2", "DATA_DIR": str(data), "INIT_CHECKPOINT": str(checkpoint)}
    build, env = composed(chosen, "metrics"), {**ANY, **given, **env}
    script = build.packed_at({**SMALL, **env}) if packed else build.readable
    ran = run_script(script, folder, **env)
    assert ran.exit_code == 0, ran.stderr
    losses = [one["train_loss"] for one in ran.events if one["event"] == "step"]
    scores = [one["val_loss"] for one in ran.events if one["event"] == "eval"]
    assert len(losses) == 2 and np.isfinite(losses + scores).all()
    weights = {one["at"]: one["tensors"] for one in ran.events if one["event"] == "weights"}
    trained, stored = weights.get("averaged", weights["train_end"]), weights["dequantised"]
    assert trained.keys() == stored.keys()
    for key, (_, norm) in trained.items():
        assert stored[key][1] == pytest.approx(norm, rel=0.05), key
    return [*losses, scores[-1]]


def test_it_trains_quantises_reads_back_and_scores(name, tmp_path, short):
    goes_through({name: {}}, tmp_path, short)


@pytest.mark.exhaustive  # the random sets draw options too
def test_it_does_so_packed_under_every_choice(alone, tmp_path, short):
    goes_through(alone, tmp_path, short, packed=True)


@pytest.mark.exhaustive
def test_two_processes_compute_what_one_computes(alone, tmp_path, short):
    if reason := TECHNIQUES[next(iter(alone))].ranks_matter:
        pytest.skip(reason)
    one = goes_through(alone, tmp_path / "one", short)
    two = goes_through(alone, tmp_path / "two", short, processes=2)
    assert two == pytest.approx(one, rel=1e-5)


RANDOM = [
    pytest.param(one, id=str(n), marks=[pytest.mark.exhaustive] if n >= 12 else [])
    for n, one in enumerate(itertools.islice(random_sets(), 200))
]


@pytest.mark.parametrize("chosen", RANDOM)
def test_many_at_once_train_quantise_read_back_and_score(chosen, tmp_path, short):
    assert 5 <= len(chosen) <= 15 and valid(chosen)
    goes_through(chosen, tmp_path, short)


@pytest.mark.exhaustive
@pytest.mark.parametrize("chosen", RANDOM[:50])
def test_many_at_once_do_so_packed(chosen, tmp_path, short):
    goes_through(chosen, tmp_path, short, packed=True)


ARRAY = [pytest.param(row, id=str(n)) for n, row in enumerate(covering_array())]


@pytest.mark.parametrize("row", ARRAY)
def test_all_that_go_together_compose(row):
    composed(together(row))


def test_scripts_are_as_black_writes_them_in_one_go(tmp_path):
    for n, names in enumerate(covering_array(1)):
        (tmp_path / f"{n}.py").write_bytes(composed(together(names)).readable)
    command = [sys.executable, "-m", "black", "--check", "-l", "100", "-t", "py311", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.exhaustive
@pytest.mark.parametrize("row", ARRAY)
def test_all_that_go_together_train_quantise_read_back_and_score(row, tmp_path, short):
    goes_through(together(row), tmp_path, short)


@pytest.mark.exhaustive
@pytest.mark.parametrize("pair", valid_pairs(), ids=" and ".join)
def test_it_works_with_every_other(pair, tmp_path, short):
    goes_through(together(pair), tmp_path, short)


@pytest.mark.parametrize(
    "pair", [p for p in itertools.combinations(sorted(TECHNIQUES), 2) if exclude_each_other(*p)]
)
def test_what_excludes_each_other_is_refused_with_both_names(pair):
    with pytest.raises(pgolf_compose.ComposeError) as refused:
        composed(together(pair))
    assert all(name in str(refused.value) for name in pair)
