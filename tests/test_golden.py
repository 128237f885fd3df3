"""Techniques against numbers: those captured from public scripts, and our own small ones."""

import ast
import functools
import json
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import (
    TIGHT,
    as_module,
    hyperparameters,
    loaded,
    ramp,
    sizes,
    under,
    validation_of,
)
from torch.optim.optimizer import register_optimizer_step_post_hook

import pgolf_compose

CPU = torch.device("cpu")

# each technique's captured vectors; recipes/README.md takes a recipe's level from here
VECTORS = {
    "brotli_codec": ["byte_shuffle"],
    "depth_recurrence": ["depth_loop"],
    "ema": ["ema"],
    "gated_skips": ["depth_loop"],
    "gptq": ["gptq_sdclip"],
    "leaky_relu_squared": ["mlp_leaky_relu2"],
    "ln_scale": ["block_parallel", "block_sequential"],
    "muon_row_normalize": ["muon_rownorm_wd", "newton_schulz"],
    "parallel_muon": ["muon_plain"],
    "parallel_residual": ["block_parallel"],
    "partial_rope": ["attn_qkgain_xsa_partialrope", "rope_partial"],
    "polar_express": ["newton_schulz"],
    "score_first_ttt": ["ttt_score_first"],
    "sdclip": ["gptq_sdclip"],
    "sliding_window_eval": ["sliding_modern"],
    "swa": ["swa"],
    "weight_decay": ["muon_rownorm_wd", "muon_wd_only"],
    "xsa": ["attn_qkgain_xsa_partialrope", "xsa"],
}

# taken down when every captured number agreed
NUMBERS = {
    "without_own_value": [
        [
            [-0.0887172818, -0.1216866374, -0.1954458356],
            [1.0422019958, -0.9585648775, 0.8081887364],
        ],
        [
            [-0.7355099320, -0.2928894758, 0.5956012011],
            [0.0714230686, -0.8398671150, -0.7830226421],
        ],
    ],
    "turned_in_part": [
        [0.8414709568, 0.3080717921, -0.8852508664, 0.9893582463, -0.9829793572, 0.8473764062],
        [0.6300412416, -0.5921143889, 0.7888444662, 0.2113091946, -0.9378005862, -0.6657609344],
        [0.8053683043, 0.8723573685, -0.6425021887, 0.9027606249, 0.8292464018, 0.8244938254],
    ],
    "sequential": [
        [9.4369182587, 4.1916093826, -8.0934257507, 9.8100996017],
        [9.6057548523, 4.4993395805, -8.1935663223, 9.6325559616],
        [9.2229948044, 4.3383622169, -7.8397979736, 8.9395875931],
    ],
    "parallel": [
        [20.7712306976, 10.4923019409, -17.4035453796, 20.8158378601],
        [8.5095783234, 4.4927816391, -6.6717095375, 10.1015853882],
        [4.2089757919, 2.2052702904, -3.0292453766, 5.3413438797],
    ],
    "clips": {
        "matrix": [0.3886890709, 0.2852512002, 0.3627788126],
        "embedding": [0.1476682723, 0.1083708033, 0.1378245950],
    },
    # of each batch shard and start, by a loader that was written apart from ours
    "sampled": [
        [(0, 0), (1, 0), (0, 4), (1, 12)],
        [(1, 16), (0, 16), (0, 8), (0, 12)],
        [(1, 4), (0, 10), (0, 6), (0, 14)],
    ],
    "made_up_for": [
        [8, 4, -9, 10, -10, 0, -3, -6],
        [10, 2, -9, -7, 2, 0, 10, 9],
        [9, 8, 9, 10, 9, 0, -3, -10],
    ],
}

ATTENTION = ("xsa", "partial_rope")
BLOCK = ("ln_scale", "leaky_relu_squared", "parallel_residual")
LAYERS = ("gated_skips", "depth_recurrence")
# what the captured model of five layers was made of, and the two ways it was scored
MODEL = (*ATTENTION, *BLOCK, *LAYERS, "sliding_window_eval", "score_first_ttt")
ARTIFACT = ("gptq", "sdclip", "brotli_codec")


COMPOSED = set()  # by the test that runs


def composed(*techniques, **settings):
    """The baseline with these techniques and `technique__name=value`, as a module."""
    COMPOSED.update(techniques)
    given = (f"{key.replace('__', '.')}={value}" for key, value in settings.items())
    return cached(techniques, tuple(given))


@functools.cache
def cached(techniques, settings):
    build = pgolf_compose.compose(
        "baseline", set=settings, added=techniques, allow_noncompliant=True
    )
    return as_module(build)


@pytest.fixture
def golden(golden):
    """The arrays of a captured vector; whoever reads them composes what VECTORS holds to them."""
    read = set()
    COMPOSED.clear()
    yield lambda name: read.add(name) or golden(name)
    for name in read:
        held = {one for one, vectors in VECTORS.items() if name in vectors}
        assert held, f"say in VECTORS which technique is held to {name}"
        assert held <= COMPOSED, f"VECTORS says that {name} is for {held - COMPOSED}"


def test_every_vector_of_the_table_is_read():
    tests = [
        node
        for node in ast.parse(Path(__file__).read_text()).body
        if isinstance(node, ast.FunctionDef) and "golden" in [one.arg for one in node.args.args]
    ]
    read = [one.value for test in tests for one in ast.walk(test) if isinstance(one, ast.Constant)]
    assert [one for vectors in VECTORS.values() for one in vectors if one not in read] == []


def close(found, wanted):
    torch.testing.assert_close(found, wanted, **TIGHT)


# --- attention, MLP and block --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gqa", "mha"])
def test_no_head_keeps_anything_of_its_own_value(golden, kind):
    arrays = golden("xsa")
    y, v = arrays[f"y_{kind}"], arrays[f"v_{kind}"]
    script = composed(*ATTENTION)
    heads = {"num_heads": y.shape[2], "num_kv_heads": v.shape[2], "model_dim": y.shape[2] * 8}
    attention = script.CausalSelfAttention(hyperparameters(script, **heads), 0)
    close(attention.remove_own_value(y, v), arrays[f"out_{kind}"])


def test_partial_rotary(golden):
    arrays = golden("rope_partial")
    script = composed(*ATTENTION)
    h = hyperparameters(script, rope_dims=arrays["rope_dims"], rope_base=arrays["base"])
    cos, sin = script.rotary_tables(h, 12)
    close(cos[None], arrays["cos"])
    close(sin[None], arrays["sin"])
    close(script.rotate(arrays["x"], cos, sin), arrays["y"])


@pytest.mark.parametrize("last_n, wanted", [(9, "y"), (0, "y_noxsa")])
def test_attention_with_xsa_and_partial_rotary(golden, last_n, wanted):
    arrays = golden("attn_qkgain_xsa_partialrope")
    script = composed(*ATTENTION)
    h = hyperparameters(
        script, **sizes(arrays), num_layers=9, rope_dims=arrays["rope_dims"], xsa_last_n=last_n
    )
    attention = loaded(script.CausalSelfAttention(h, 0), arrays)
    close(attention(arrays["x"], *script.rotary_tables(h, 10)), arrays[wanted])


def test_leaky_relu_squared(golden):
    arrays = golden("mlp_leaky_relu2")
    script = composed(*BLOCK)
    h = hyperparameters(script, model_dim=16, mlp_mult=3.0)
    close(loaded(script.MLP(h, 0), arrays)(arrays["x"]), arrays["y"])


@pytest.mark.parametrize("name, start", [("block_sequential", 4), ("block_parallel", 3)])
def test_a_block_from_which_branches_run_side_by_side(golden, name, start):
    arrays = golden(name)
    script = composed(*BLOCK)
    h = hyperparameters(script, **sizes(arrays), parallel_residual_start=start)
    block = loaded(script.Block(h, arrays["layer_idx"]), arrays)
    y = block(arrays["x"], arrays["x0"], *script.rotary_tables(h, 10))
    close(y, arrays["y"])


# --- the whole model, and the ways it is scored --------------------------------------------------


def five_layers(script, arrays, **values):
    """The captured model with its second and third layer run three times over."""
    h = hyperparameters(
        script,
        **{"num_heads": 4, "num_kv_heads": 2, "model_dim": 32, "num_layers": 5, "mlp_mult": 2.0},
        **{"vocab_size": 64, "rope_dims": 4, "xsa_last_n": 2, "parallel_residual_start": 3},
        **{"num_loops": 2, "loop_start": 1, "loop_end": 2, "device": CPU, **values},
    )
    return h, loaded(script.GPT(h), arrays)


def test_a_model_before_and_after_its_layers_loop(golden):
    arrays = golden("depth_loop")
    for name, value in {"rope_dims": 4, "xsa_last_n": 2, "parallel_start": 3}.items():
        assert arrays[name] == value
    _, model = five_layers(composed(*MODEL), arrays)
    ids = arrays["ids"]
    encoder, decoder = model.plan()
    assert encoder + decoder == arrays["order_off"].tolist()
    close(model.head(model.trunk(ids)), arrays["logits_off"])
    model.looping = True
    encoder, decoder = model.plan()
    assert encoder == arrays["encoder_indices"].tolist()
    assert decoder == arrays["decoder_indices"].tolist()
    assert encoder + decoder == arrays["order_on"].tolist()
    close(model.head(model.trunk(ids)), arrays["logits_on"])


def test_the_loss_of_a_model_whose_layers_loop(golden):
    arrays = golden("depth_loop")
    _, model = five_layers(composed(*MODEL), arrays)
    model.looping = True
    loss = model(arrays["ids"][:, :-1], arrays["ids"][:, 1:]).mean().item()
    assert loss == pytest.approx(arrays["loss_on"], rel=1e-6)


def test_the_plan_of_eleven_layers(golden):
    arrays = golden("depth_loop")
    script = composed(*MODEL)
    h = hyperparameters(script, num_layers=11, loop_start=3, loop_end=5, model_dim=64)
    model = script.GPT(h)
    model.looping = True
    assert model.plan() == (arrays["enc11"].tolist(), arrays["dec11"].tolist())


def test_sliding_windows(golden):
    arrays = golden("sliding_modern")
    script = composed(*MODEL)
    h, model = five_layers(
        script, arrays, train_seq_len=arrays["seq_len"], eval_stride=arrays["stride"]
    )
    model.looping = True
    losses = []
    model.register_forward_hook(lambda *call: losses.append(call[-1]))
    found = script.evaluate_sliding(h, model, validation_of(script, arrays))
    close(torch.cat(losses)[: len(arrays["nll"])], arrays["nll"])  # the last batch is filled up
    assert found == pytest.approx((arrays["val_loss"], arrays["val_bpb"]), rel=1e-6)


def test_score_first_test_time_training(golden, monkeypatch):
    arrays = golden("ttt_score_first")
    script = composed(*MODEL)
    names = {"epochs", "lr", "momentum", "chunk_tokens"}
    h, model = five_layers(
        script,
        arrays,
        train_seq_len=arrays["seq_len"],
        eval_stride=arrays["stride"],
        ttt_batch_seqs=2,
        **{f"ttt_{name}": arrays[name] for name in names},
    )
    model.looping = True
    seen = types.SimpleNamespace(sums=[], losses=[], rates=[], weights=None)
    score_windows = script.score_windows

    def scored(*args):
        seen.sums.append(score_windows(*args))
        return seen.sums[-1]

    def trained(model, _, nll):
        if model.training:
            seen.losses.append(nll.mean().item())

    def stepped(optimizer, *_):
        seen.rates.append(optimizer.param_groups[0]["lr"])
        seen.weights = {name: t.clone() for name, t in model.state_dict().items()}

    monkeypatch.setattr(script, "score_windows", scored)
    monkeypatch.setattr(script, "log", lambda *_: None)
    model.register_forward_hook(trained)
    hook = register_optimizer_step_post_hook(stepped)
    try:
        found = script.evaluate_score_first(h, model, validation_of(script, arrays))
    finally:
        hook.remove()

    nats, _, counts = torch.stack(seen.sums).T
    assert counts.tolist() == arrays["chunk_counts"].tolist()
    torch.testing.assert_close(nats, arrays["chunk_loss_sums"], rtol=1e-5, atol=0)
    assert seen.losses == pytest.approx(arrays["train_losses"].tolist(), rel=1e-5)
    assert seen.rates == pytest.approx(arrays["step_lrs"].tolist(), rel=1e-9)
    assert found == pytest.approx((arrays["val_loss"], arrays["val_bpb"]), rel=1e-5)
    for name, wanted in under(arrays, "after").items():
        close(seen.weights[name], wanted)
    for name, wanted in under(arrays, "w").items():  # nothing learned outlives the evaluation
        assert torch.equal(model.state_dict()[name], wanted)


# --- optimizer and averages ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, techniques",
    [
        ("muon_rownorm_wd", ("muon_row_normalize", "weight_decay")),
        ("muon_wd_only", ("weight_decay",)),
    ],
)
def test_muon_with_decay(golden, name, techniques):
    arrays = golden(name)
    two_updates_give_the_captured_weights(composed(*techniques), arrays, muon_wd=arrays["wd"])


def test_parallel_muon_in_one_process(golden):
    two_updates_give_the_captured_weights(composed("parallel_muon"), golden("muon_plain"))


def two_updates_give_the_captured_weights(script, arrays, **values):
    h = hyperparameters(script, muon_backend_steps=5, device=CPU, **values)
    params = [torch.nn.Parameter(arrays[f"w{n}_before"].clone()) for n in range(3)]
    optimizer = script.Muon(h, params, lr=arrays["lr"], momentum=arrays["momentum"])
    for step in (0, 1):
        for n, p in enumerate(params):
            p.grad = arrays[f"grad{n}_step{step}"].clone()
        script.update([optimizer])
        for n, p in enumerate(params):
            close(p.data, arrays[f"w{n}_after{step + 1}"])


def test_decay_after_the_update_shrinks_the_update_as_well(golden):
    arrays = golden("muon_wd_only")
    script = composed("weight_decay", weight_decay__placement="after")
    h = hyperparameters(script, muon_backend_steps=5, muon_wd=arrays["wd"], device=CPU)
    p = torch.nn.Parameter(arrays["w0_before"].clone())
    p.grad = arrays["grad0_step0"].clone()
    script.Muon(h, [p], lr=arrays["lr"], momentum=arrays["momentum"]).step()
    shrunk = 1 - arrays["lr"] * arrays["wd"]
    moved = shrunk * arrays["w0_before"] - arrays["w0_after1"]  # by the captured update
    close(p.data, shrunk * (arrays["w0_before"] - moved))


@pytest.mark.parametrize("embed_wd, wanted", [(0.3, [0.3, 0.1, 0.2]), (-1.0, [0.2, 0.1, 0.2])])
def test_embeddings_decay_on_their_own_or_as_other_parameters(embed_wd, wanted):
    script = composed("weight_decay")
    values = {"muon_wd": 0.1, "adam_wd": 0.2, "embed_wd": embed_wd, "device": CPU}
    h = hyperparameters(script, **values, model_dim=8, num_heads=2, num_kv_heads=1)
    optimizers = script.make_optimizers(h, script.GPT(h))
    assert [one.param_groups[0]["weight_decay"] for one in optimizers] == wanted


def test_polar_express(golden):
    arrays = golden("newton_schulz")
    plain = composed("polar_express")
    rows = composed(
        "polar_express", "muon_row_normalize", muon_row_normalize__orientation="transposed"
    )
    for script, steps, given, wanted in (
        (plain, 5, "G_wide", "pe5_wide"),
        (plain, 5, "G_tall", "pe5_tall"),
        (plain, 5, "G_bank", "pe5_bank"),
        (plain, 3, "G_wide", "pe3_wide"),
        (plain, 4, "G_wide", "pe4_1539_wide"),
        (rows, 4, "G_wide", "pe4_rownorm_1539_wide"),
        (rows, 4, "G_tall", "pe4_rownorm_1539_tall"),
    ):
        found = script.orthogonalize(arrays[given], steps)
        close(found, arrays[wanted])


class Weights(torch.nn.Module):
    """Nothing but tensors of these names."""

    def __init__(self, tensors):
        super().__init__()
        self.names = list(tensors)
        for n, tensor in enumerate(tensors.values()):
            self.register_buffer(str(n), tensor.clone())

    def put(self, tensors):
        self.load_state_dict({str(n): tensors[name] for n, name in enumerate(self.names)})

    def named(self):
        return dict(zip(self.names, self.state_dict().values(), strict=True))


def train_through(monkeypatch, script, first, after, **values):
    """The script's own train(), each of whose updates puts the next weights into the model.

    Returns the weights that it leaves and what it logged.
    """
    h = hyperparameters(
        script,
        **{"iterations": len(after), "max_wallclock_seconds": 0.0, "warmup_steps": 0},
        **{"val_loss_every": 0, "train_log_every": 0, "device": CPU, **values},
    )
    model, steps, lines = Weights(first), iter(after), []
    monkeypatch.setattr(script, "make_optimizers", lambda h, model: [])
    monkeypatch.setattr(script, "Loader", lambda h: None)
    monkeypatch.setattr(script, "backward", lambda *_: torch.zeros(()))
    monkeypatch.setattr(script, "update", lambda _: model.put(next(steps)))
    monkeypatch.setattr(script, "evaluate", lambda *_: (1.0, 1.0))
    monkeypatch.setattr(script, "log", lambda h, line: lines.append(line))
    script.train(h, model, model, None)
    return model.named(), lines


def test_the_moving_average_of_weights_is_what_training_leaves(golden, monkeypatch):
    arrays = golden("ema")
    steps = [under(arrays, f"step{n}") for n in range(5)]
    found, lines = train_through(
        monkeypatch, composed("ema"), steps[0], steps[1:], ema_decay=arrays["decay"]
    )
    assert "ema:applying EMA weights" in lines
    for name, wanted in under(arrays, "ema").items():
        close(found[name], wanted)


def test_the_mean_of_checkpoints_is_what_training_leaves(golden, monkeypatch):
    arrays = golden("swa")
    steps = [under(arrays, f"step{n}") for n in range(1, 5)]
    found, lines = train_through(
        monkeypatch,
        composed("swa"),
        {name: torch.zeros_like(t) for name, t in steps[0].items()},
        steps,
        **{"warmdown_iters": 8, "swa_start_frac": 1.0, "swa_every": 1},
    )
    assert "swa:start step:1" in lines and "swa:applying averaged 4 checkpoints" in lines
    for name, wanted in under(arrays, "swa").items():
        close(found[name], wanted)


# --- artifact ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, bits, sigmas, block",
    [("int6", 6, 12.85, 16), ("int8", 8, 20.0, 128), ("int5_tight", 5, 3.0, 16)],
)
def test_gptq_with_clips_by_deviation(golden, name, bits, sigmas, block):
    arrays = golden("gptq_sdclip")
    script, top = composed(*ARTIFACT), 2 ** (bits - 1) - 1
    h = hyperparameters(script, matrix_clip_sigmas=sigmas, quant_unrounded_scale=False)
    w, hessian = arrays["w"], arrays["H"]
    q, scale = script.quantize_rows(h, "w", w, "matrix", bits, {"w": hessian})
    assert torch.equal(scale, arrays[f"s_{name}"])
    assert torch.equal(q, arrays[f"q_{name}"])
    q = script.round_with_hessian(h, w, scale.float(), top, hessian, block)
    assert torch.equal(q.to(torch.int8), arrays[f"q_{name}"])


def test_the_bytes_that_brotli_compresses_are_dealt_apart(golden):
    brotli = pytest.importorskip("brotli")
    arrays = golden("byte_shuffle")
    script = composed(*ARTIFACT)
    assert script.Hyperparameters.brotli_stride == arrays["stride"]
    data = bytes(arrays["data"].tolist())
    packed = script.compress(data)
    # the public file starts with four letters and its stride: ours has that in its settings
    assert brotli.decompress(packed) == bytes(arrays["out"].tolist())[5:]
    assert script.decompress(packed) == data


# --- our own small set, for when no captured numbers are at hand ---------------------------------


def test_a_small_head_loses_its_own_value_as_known():
    script = composed(*ATTENTION)
    h = hyperparameters(script, num_heads=2, num_kv_heads=1, model_dim=6)
    y, v = ramp(1, 2, 2, 3, scale=1.0), ramp(1, 2, 1, 3, scale=2.0) + 0.3
    found = script.CausalSelfAttention(h, 0).remove_own_value(y, v)
    close(found[0], torch.tensor(NUMBERS["without_own_value"]))
    close((found * v).sum(-1), torch.zeros(1, 2, 2))


def test_a_small_head_turns_in_part_as_known():
    script = composed(*ATTENTION)
    h = hyperparameters(script, num_heads=1, model_dim=6, rope_dims=4)
    x = ramp(1, 3, 1, 6, scale=1.0)
    turned = script.rotate(x, *script.rotary_tables(h, 3))
    close(turned[0, :, 0], torch.tensor(NUMBERS["turned_in_part"]))
    assert torch.equal(turned[..., 4:], x[..., 4:]) and torch.equal(turned[:, 0], x[:, 0])


@pytest.mark.parametrize("form, start", [("sequential", 2), ("parallel", 1)])
def test_a_small_block_gives_what_is_known(form, start):
    script = composed(*BLOCK)
    h = hyperparameters(
        script, num_heads=2, num_kv_heads=1, model_dim=4, parallel_residual_start=start
    )
    block = script.Block(h, 1)
    with torch.no_grad():
        for n, p in enumerate(block.parameters()):
            p.copy_(ramp(*p.shape, scale=0.5) + 0.1 * n)
        y = block(ramp(1, 3, 4), ramp(1, 3, 4, scale=0.2), *script.rotary_tables(h, 3))
    close(y[0], torch.tensor(NUMBERS[form]))


def test_layers_loop_in_the_middle_of_the_plan():
    script = composed(*MODEL)
    h = hyperparameters(script, num_layers=11, num_loops=2, loop_start=4, loop_end=5, model_dim=64)
    model = script.GPT(h)
    assert model.plan() == ([0, 1, 2, 3, 4], [5, 6, 7, 8, 9, 10])
    model.looping = True
    assert model.plan() == ([0, 1, 2, 3, 4, 5, 4], [5, 4, 5, 6, 7, 8, 9, 10])
    assert len(model.skip_weights) == len(model.skip_gates) == 7


@pytest.mark.parametrize(
    "targets, starts",
    [(7, [0]), (8, [0]), (9, [0, 3]), (19, [0, 3, 6, 9, 12]), (21, [0, 3, 6, 9, 12, 15])],
)
def test_sliding_windows_score_every_target_once(targets, starts):
    script = composed(*MODEL)
    h = hyperparameters(script, train_seq_len=8, eval_stride=3, eval_batch_seqs=2, device=CPU)
    validation = types.SimpleNamespace(
        tokens=torch.arange(targets + 1), byte_counts=lambda ids, targets: targets - ids
    )
    assert script.window_starts(h, validation) == starts
    sums = script.score_windows(h, lambda ids, targets: 2.0**targets, validation, starts)
    assert sums.tolist() == [2.0 ** (targets + 1) - 2, targets, targets]


def test_clips_follow_the_deviation_of_a_row_as_known():
    script = composed(*ARTIFACT)
    h = hyperparameters(script, matrix_clip_sigmas=12.85, embed_clip_sigmas=20.0)
    w = ramp(3, 5, scale=1.0)
    for kind, top in (("matrix", 31), ("embedding", 127)):
        [(kept, scale)] = script.clipped(h, w, top, kind)
        close(scale, torch.tensor(NUMBERS["clips"][kind]))
        assert torch.equal(kept, w)  # rounding clips it, and knows by how much


def test_columns_make_up_for_each_other_s_error_as_known():
    script = composed(*ARTIFACT)
    h = hyperparameters(script, gptq_damp=0.01)
    w, x = ramp(3, 8, scale=1.0), ramp(16, 8, scale=1.0)
    x[:, 1] = x[:, 0] + 0.1 * x[:, 1]
    x[:, 5] = 0  # nothing ever reads it
    hessian, scale = x.T @ x, torch.full((3,), 0.1)
    q = script.round_with_hessian(h, w, scale, 15, hessian, block=3)
    assert q.tolist() == NUMBERS["made_up_for"]
    assert torch.equal(q, script.round_with_hessian(h, w, scale, 15, hessian))

    def harm(q):
        return ((w - q * scale[:, None]) @ x.T).square().sum().item()

    assert harm(q) < harm((w / scale[:, None]).round().clamp(-15, 15))


# --- loaders -------------------------------------------------------------------------------------


@pytest.fixture
def shards(tmp_path, monkeypatch):
    """Write shards of so many tokens to ./shards; token i of shard s is 100 s + i."""

    def write(*sizes):
        monkeypatch.chdir(tmp_path)
        Path("shards").mkdir()
        for s, size in enumerate(sizes):
            header = np.zeros(256, dtype="<i4")
            header[:3] = 20240520, 1, size
            tokens = (100 * s + np.arange(size)).astype("<u2")
            path = Path("shards", f"fineweb_train_{s:06}.bin")
            path.write_bytes(header.tobytes() + tokens.tobytes())

    return write


def windows_of_four(script, batches, **values):
    """The (shard, start) of each window that a new loader reads, batch by batch."""
    h = hyperparameters(
        script,
        **{"data_path": "shards", "train_seq_len": 4, "train_batch_tokens": 128, "device": CPU},
        **values,
    )
    loader, read = script.Loader(h), []
    for _ in range(batches):
        ids, targets = loader.next_batch()
        assert torch.equal(ids + 1, targets)
        assert torch.equal(ids - ids[:, :1], torch.arange(4).expand_as(ids))
        read.append([divmod(int(first), 100) for first in ids[:, 0]])
    return read


def test_the_sampled_order_is_as_known(shards):
    shards(22, 31)
    assert windows_of_four(composed("coprime_loader"), 3) == NUMBERS["sampled"]


def test_processes_take_the_windows_of_one_order_in_turn(shards):
    shards(22, 31, 40)
    script = composed("coprime_loader")
    two = {"world_size": 2, "grad_accum_steps": 4}
    ranks = [windows_of_four(script, 5, **two, rank=rank) for rank in (0, 1)]
    h = hyperparameters(script, **two, data_path="shards", train_seq_len=4)
    loader = script.Loader(h)
    for first, second in zip(*ranks, strict=True):
        assert [one for pair in zip(first, second, strict=True) for one in pair] == loader.windows(
            8
        )


def test_a_shard_is_cut_from_a_random_phase_and_every_window_comes_once(shards):
    shards(22)
    script = composed("coprime_loader")
    loader = script.Loader(hyperparameters(script, data_path="shards", train_seq_len=4))
    for tokens, phases in ((5, {0}), (7, {0, 1, 2}), (22, {0, 1, 2, 3})):
        drawn = [sorted(loader.draw(tokens).tolist()) for _ in range(50)]
        assert {starts[0] for starts in drawn} == phases
        for starts in drawn:
            assert starts == list(range(starts[0], tokens - 4, 4))


def test_the_deterministic_order_follows_from_the_seed(shards):
    shards(41, 41, 41)  # of 10 windows each
    script = composed("coprime_loader", coprime_loader__order="deterministic")
    values = {"seed": 1, "coprime_shard_hold_steps": 1}
    # shards 0, 2, 1: in strides of 41 + 3 = 2 (mod 3). Shard 0 starts with block 131 = 1 (mod 10)
    # in strides of 29 + 1 = 0, so 1; shard 1 with 148 = 8 in strides of 37 = 7; shard 2 with 165 = 5
    # in strides of 44 = 4, so 7
    assert windows_of_four(script, 4, **values) == [
        [(0, 4), (0, 8), (0, 12), (0, 16)],
        [(2, 20), (2, 8), (2, 36), (2, 24)],
        [(1, 32), (1, 20), (1, 8), (1, 36)],
        [(0, 20), (0, 24), (0, 28), (0, 32)],
    ]
    held = windows_of_four(script, 3, **values | {"coprime_shard_hold_steps": 2})
    assert [batch[0] for batch in held] == [(0, 4), (0, 20), (2, 20)]
    two = values | {"world_size": 2, "grad_accum_steps": 4}
    assert windows_of_four(script, 1, **two, rank=1)[0][0] == (2, 20)
    beside = windows_of_four(script, 1, **values, coprime_shards_per_batch=2)
    assert beside == [[(0, 4), (2, 20), (0, 8), (2, 8)]]


def test_the_sampled_order_is_that_of_the_public_loader(shared, monkeypatch):
    folder = shared / "conformance" / "2026-04-01_Vocab4096_MLPMult4_WD085"
    first = json.loads((folder / "trace.json").read_text())["rounds"][0]
    with np.load(folder / "init.npz") as arrays:
        table = torch.from_numpy(arrays["tok_emb.weight"])
    # output projections are zero at the start: a token's embedding alone tells the next one's loss
    x = table / table.square().mean(-1, keepdim=True).sqrt()
    nll = -(30 * torch.tanh(x @ table.T / 30)).log_softmax(-1)
    monkeypatch.chdir(shared / "conformance")  # the order follows from the text of the paths
    script = composed("coprime_loader")
    h = hyperparameters(
        script,
        **{"data_path": "data/datasets/fineweb10B_sp4096", "vocab_size": 4096, "device": CPU},
        **{"train_seq_len": 64, "train_batch_tokens": 1024},
    )
    loader = script.Loader(h)
    for wanted in first["micro_losses"]:  # of eight, each divided by eight
        assert nll[loader.next_batch()].mean().item() / 8 == pytest.approx(wanted, rel=1e-6)
