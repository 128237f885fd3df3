"""Composed recipes against whole runs of the public scripts, in float32, at a tiny size."""

import json

import pytest
from conftest import SHARED, run_script

import pgolf_compose

# recipe name -> folder of the trace below conformance/; later techniques add theirs
TRACES = ["baseline"]


@pytest.fixture(scope="module", params=TRACES)
def pair(request, tmp_path_factory, shared):
    """(the public run's trace, what our script recorded)."""
    name = request.param
    folder = shared / "conformance" / name
    trace = json.loads((folder / "trace.json").read_text())
    run = tmp_path_factory.mktemp(name.replace("/", "_"))
    (run / "data").symlink_to(shared / "conformance" / "data")
    vocabulary = trace["hyperparameters"]["vocab_size"]
    build = pgolf_compose.compose(name, added=["metrics", "init_from_checkpoint"])
    switches = {"TTT_ENABLED", "SLIDING_WINDOW_ENABLED"}  # settled by what is composed
    ours = run_script(
        build.readable,
        run,
        **{
            # the trace's own values alone decide the size
            **{key: value for key, value in trace["env"].items() if key not in switches},
            "NUM_LAYERS": str(trace["hyperparameters"]["num_layers"]),
            "VOCAB_SIZE": str(vocabulary),
            "DATA_DIR": "data",
            "DATA_PATH": f"data/datasets/fineweb10B_sp{vocabulary}",
            "TOKENIZER_PATH": f"data/tokenizers/fineweb_{vocabulary}_bpe.model",
            "INIT_CHECKPOINT": str(folder / "init.npz"),
        },
    )
    assert ours.exit_code == 0, ours.stderr
    return trace, ours


def events(ours, event, **where):
    return [
        one
        for one in ours.events
        if one["event"] == event and all(one[key] == value for key, value in where.items())
    ]


def test_every_step_has_the_public_loss(pair):
    trace, ours = pair
    theirs = [one["loss_sum"] for one in trace["rounds"] if one["phase"] == "train"]
    assert [one["train_loss"] for one in events(ours, "step")] == pytest.approx(theirs, rel=1e-5)


def test_every_step_has_the_public_groups_and_schedules(pair):
    trace, ours = pair
    rounds = [one["groups"] for one in trace["rounds"] if one["phase"] == "train"]
    for theirs, step in zip(rounds, events(ours, "step"), strict=True):
        wanted = sorted((g["opt"], g["numel"], g["lr"], g.get("momentum")) for g in theirs)
        found = sorted((g["optimizer"], g["numel"], g["lr"], g["momentum"]) for g in step["groups"])
        for one, other in zip(wanted, found, strict=True):
            assert one[:2] == other[:2]
            assert one[2] == pytest.approx(other[2], rel=1e-9)
            assert one[3] is None or one[3] == pytest.approx(other[3], rel=1e-9)


def test_every_evaluation_returns_the_public_values(pair):
    trace, ours = pair
    theirs = [tuple(one["returns"]) for one in trace["evaluations"]]
    found = [(one["val_loss"], one["val_bpb"]) for one in events(ours, "eval")]
    assert len(found) == len(theirs)
    for one, other in zip(found, theirs, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize(
    ("at", "snapshot", "within"),
    [("init", "init", 1e-6), ("train_end", "train_end", 1e-4), ("dequantised", "load_0", 2e-4)],
)
def test_the_weights_are_the_public_ones(pair, at, snapshot, within):
    trace, ours = pair
    [found] = events(ours, "weights", at=at)
    theirs = {n: t for n, t in trace["snapshots"][snapshot].items() if t.get("kind") == "param"}
    assert found["tensors"].keys() == theirs.keys()
    for name, tensor in theirs.items():
        scale = max(abs(tensor["sum"]), tensor["l2"])
        assert found["tensors"][name][0] == pytest.approx(tensor["sum"], abs=within * scale), name
        assert found["tensors"][name][1] == pytest.approx(tensor["l2"], rel=within), name


def test_the_artifact_has_the_public_size(pair):
    trace, ours = pair
    [theirs], [found] = trace["compressed"], events(ours, "artifact")
    assert found["bytes_raw"] == pytest.approx(theirs["in"], rel=1e-3)
    assert found["bytes_model"] == pytest.approx(theirs["out"], rel=1e-2)


def test_the_seed_alone_draws_the_public_initial_weights(tmp_path, shared):
    trace = json.loads((SHARED / "conformance" / "baseline" / "trace.json").read_text())
    build = pgolf_compose.compose("baseline", added=["metrics"])
    env = {**trace["env"], "ITERATIONS": "0", "VOCAB_SIZE": "1024", "DATA_DIR": "data"}
    (tmp_path / "data").symlink_to(SHARED / "conformance" / "data")
    ours = run_script(build.readable, tmp_path, **env)
    [found] = events(ours, "weights", at="init")
    for name, (total, norm) in found["tensors"].items():
        theirs = trace["snapshots"]["init"][name]
        assert (total, norm) == pytest.approx((theirs["sum"], theirs["l2"]), rel=1e-6), name
