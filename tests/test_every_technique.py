"""What holds for each technique, whichever there are."""

import functools
import itertools
import shutil
import subprocess
import sys

import numpy as np
import pytest
from allpairspy import AllPairs
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
    return composed(with_needs(name))


def composed(names: list[str]):
    return cached(tuple(names))


@functools.cache
def cached(names: tuple[str, ...]):
    return pgolf_compose.compose("baseline", added=names, allow_noncompliant=True)


def test_it_declares_what_a_reader_needs(name):
    one = TECHNIQUES[name]
    assert one.summary.endswith(".") and one.summary.count(". ") == 0
    assert one.measuring or one.source
    for hyperparameter in one.hyperparameters:
        assert hyperparameter.help and not hyperparameter.help.endswith(".")


def test_it_changes_the_program_and_nothing_of_it_stays_when_it_is_off(build, baseline, name):
    assert build.script.tree != baseline.script.tree
    off = pgolf_compose.compose("baseline", added=[name], removed=[name])
    assert off.script.code == baseline.script.code


def test_the_techniques_it_names_exist(name):
    one = TECHNIQUES[name]
    assert {*one.requires, *one.conflicts, *one.after, *one.before} <= set(TECHNIQUES)


def test_every_hyperparameter_of_it_is_read_under_some_choice(build, name):
    one, code = TECHNIQUES[name], build.script.code
    for settled in (each for each in one.hyperparameters if each.settled):
        for option in settled.choices or ("true", "false"):
            if option not in (settled.default, str(settled.default).lower()):
                choice = f"{name}.{settled.name}={option}"
                other = pgolf_compose.compose(
                    "baseline", added=with_needs(name), set=[choice], allow_noncompliant=True
                )
                assert other.script.tree != build.script.tree, f"{choice} changes nothing"
                code += other.script.code
    for each in (each for each in one.hyperparameters if not each.settled):
        assert f"{one.attribute(each)} = env(" in code


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
    "recur_layers": (1,),
    "repeat_untie_mlp_layers": (1,),
}


def small(module):
    known = {
        key: value for key, value in SMALL_MODEL.items() if hasattr(module.Hyperparameters, key)
    }
    return hyperparameters(module, **known)


@pytest.fixture(scope="session")
def short(tiny, tmp_path_factory):
    """The tiny dataset with 4,097 tokens to validate on."""
    folder = tmp_path_factory.mktemp("data") / "short"
    shutil.copytree(tiny, folder)
    [shard] = folder.glob("datasets/*/fineweb_val_*.bin")
    header = np.fromfile(shard, "<i4", 256)
    tokens = np.fromfile(shard, "<u2", 4097, offset=1024)
    header[2] = len(tokens)
    shard.write_bytes(header.tobytes() + tokens.tobytes())
    return folder


def goes_through(names: list[str], folder, data, **env) -> list[float]:
    """Compose, train two steps, write, read back and score; the losses, last the score's."""
    checkpoint = folder / "init.npz"
    if "init_from_checkpoint" in names:
        module = as_module(composed([one for one in names if one != "init_from_checkpoint"]))
        model = module.GPT(small(module))
        np.savez(checkpoint, **{key: p.detach().numpy() for key, p in model.named_parameters()})
    given = {
        "DATA_DIR": str(data),
        "ITERATIONS": "2",
        "INIT_CHECKPOINT": str(checkpoint),
        "INT8_KEEP_FLOAT_MAX_NUMEL": "1000",  # so that matrices are quantised at this size
        "QUANT_SCALE_FLOOR": "0",
        "ROPE_DIMS": "4",
        "ROPE_TRAIN_SEQ_LEN": "16",
        "EVAL_STRIDE": "16",
        "TTT_CHUNK_TOKENS": "1024",
        "TTT_CHUNK_SIZE": "16",
        "EMA_DECAY": "0.5",
        "SWA_EVERY": "1",
        "SWA_START_FRAC": "1",
        "LOOP_START": "1",
        "LOOP_END": "1",
        "RECUR_LAYERS": "1",
        "RECUR_START_STEP": "1",
        "REPEAT_UNTIE_MLP_LAYERS": "1",
        "GPTQ_CALIBRATION_BATCHES": "8",
        "GPTQ_CALIB_SEQS": "16",
        "N_INT6_LAYERS": "4",
        "CLIP_SEARCH_LEAST_CLIP": "0",
        "MAGNITUDE_PRUNING_ABOVE_NUMEL": "1000",
        **env,
    }
    build = composed(list(dict.fromkeys([*names, "metrics"])))
    ran = run_script(build.packed, folder, **given)
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
    goes_through(with_needs(name), tmp_path, short)


@pytest.mark.exhaustive
def test_two_processes_compute_what_one_computes(name, tmp_path, short):
    if reason := TECHNIQUES[name].ranks_matter:
        pytest.skip(reason)
    one = goes_through(with_needs(name), tmp_path / "one", short)
    two = goes_through(with_needs(name), tmp_path / "two", short, processes=2)
    assert two == pytest.approx(one, rel=1e-5)


REPLACED = {
    name: {one.place for one in read_fragments(technique) if one.verb == "replace"}
    for name, technique in TECHNIQUES.items()
}


def exclude_each_other(one: str, other: str) -> bool:
    """Declared, or both replace one part."""
    declared = other in TECHNIQUES[one].conflicts or one in TECHNIQUES[other].conflicts
    return declared or bool(REPLACED[one] & REPLACED[other])


def valid(names: list[str]) -> bool:
    needed = {need for name in names for need in TECHNIQUES[name].requires}
    return needed <= set(names) and not any(
        exclude_each_other(*pair) for pair in itertools.combinations(names, 2)
    )


def covering_array() -> list[list[str]]:
    """Sets of techniques such that every valid pair is together in one of them.

    Techniques of which each excludes all others are one choice; the rest are on or off.
    """
    choices: list[list[str]] = []
    for name in sorted(TECHNIQUES):
        for others in choices:
            if all(exclude_each_other(name, other) for other in others):
                others.append(name)
                break
        else:
            choices.append([name])

    def possible(row: list[str]) -> bool:
        chosen = [name for name in row if name]
        decided = {name for others in choices[: len(row)] for name in others}
        needed = {need for name in chosen for need in TECHNIQUES[name].requires}
        return not (needed & decided) - set(chosen) and not any(
            exclude_each_other(*pair) for pair in itertools.combinations(chosen, 2)
        )

    rows = AllPairs([[*others, ""] for others in choices], filter_func=possible)
    return [[name for name in row if name] for row in rows]


ARRAY = covering_array()
PAIRS = [
    pair
    for pair in itertools.combinations(sorted(TECHNIQUES), 2)
    if valid(sorted({*with_needs(pair[0]), *with_needs(pair[1])}))
]


def test_every_valid_pair_is_in_the_covering_array():
    together = {pair for row in ARRAY for pair in itertools.combinations(sorted(row), 2)}
    assert set(PAIRS) <= together
    assert all(valid(row) for row in ARRAY)


@pytest.mark.parametrize("row", range(len(ARRAY)))
def test_many_at_once_train_quantise_read_back_and_score(row, tmp_path, short):
    goes_through(ARRAY[row], tmp_path, short)


@pytest.mark.exhaustive
@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_it_works_with_every_other(pair, tmp_path, short):
    names = list(dict.fromkeys([*with_needs(pair[0]), *with_needs(pair[1])]))
    goes_through(names, tmp_path, short)


@pytest.mark.parametrize(
    "pair", [p for p in itertools.combinations(sorted(TECHNIQUES), 2) if exclude_each_other(*p)]
)
def test_what_excludes_each_other_is_refused_with_both_names(pair):
    names = list(dict.fromkeys([*with_needs(pair[0]), *with_needs(pair[1])]))
    with pytest.raises(pgolf_compose.ComposeError) as refused:
        composed(names)
    assert all(name in str(refused.value) for name in pair)


def test_fragments_are_short_enough_to_read(name):
    assert sum(len(one.origins) for one in read_fragments(TECHNIQUES[name])) <= 150
