"""Techniques against numbers: those captured from public scripts, and our own small ones."""

import ast
import functools
import json
import math
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
    "bigram_hash": ["bigram_hash"],
    "brotli_codec": ["byte_shuffle"],
    "clip_search": ["quant_int6_int5_rows"],
    "depth_recurrence": ["depth_loop"],
    "ema": ["ema"],
    "gated_skips": ["depth_loop"],
    "gptq": ["gptq_sdclip"],
    "half_precision_rest": ["quant_mixed_int5_int6"],
    "leaky_relu_squared": ["mlp_leaky_relu2"],
    "ln_scale": ["block_parallel", "block_sequential"],
    "muon_row_normalize": ["muon_rownorm_wd", "newton_schulz"],
    "ntk_rope": ["rope_ntk"],
    "parallel_muon": ["muon_plain"],
    "parallel_residual": ["block_parallel", "parallel_lanes_frontier"],
    "partial_rope": ["attn_qkgain_xsa_partialrope", "rope_no_ntk", "rope_partial"],
    "polar_express": ["newton_schulz"],
    "row_max": ["quant_int6_int5_rows", "quant_mixed_int5_int6"],
    "score_first_ttt": ["ttt_score_first"],
    "sdclip": ["gptq_sdclip"],
    "sliding_window_eval": ["sliding_legacy", "sliding_modern"],
    "smear_gate": ["smear_plain"],
    "star_relu": ["mlp_star_relu2_pr277"],
    "swa": ["swa"],
    "tensor_class_bits": ["quant_mixed_int5_int6"],
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


def composed(*words, **settings):
    """The baseline with these techniques, `technique.name=value` or `technique__name=value`."""
    techniques = tuple(word for word in words if "=" not in word)
    COMPOSED.update(techniques)
    given = [word for word in words if "=" in word]
    given += [f"{key.replace('__', '.')}={value}" for key, value in settings.items()]
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


@pytest.mark.parametrize("name, techniques", [("rope_ntk", ("ntk_rope",)), ("rope_no_ntk", ())])
def test_rotary_of_a_sequence_longer_than_the_base_length(golden, name, techniques):
    arrays = golden(name)
    script = composed("partial_rope", *techniques)
    own = {"rope_train_seq_len": golden("rope_ntk")["train_seq_len"]} if techniques else {}
    h = hyperparameters(script, rope_dims=8, rope_base=10000.0, **own)
    cos, sin = script.rotary_tables(h, 20)
    close(cos[None], arrays["cos"])
    close(sin[None], arrays["sin"])
    close(script.rotate(arrays["x"], cos, sin), arrays["y"])


def test_star_relu(golden):
    arrays = golden("mlp_star_relu2_pr277")
    script = composed("star_relu")
    mlp = script.MLP(hyperparameters(script, model_dim=16, mlp_mult=3.0), 0)
    ours = {"up_proj.weight": "fc.weight", "down_proj.weight": "proj.weight"}
    mlp.load_state_dict({ours.get(name, name): t for name, t in under(arrays, "w").items()})
    close(mlp(arrays["x"]), arrays["y"])


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


def test_a_layer_whose_branches_write_two_lanes(golden):
    arrays = golden("parallel_lanes_frontier")
    script = composed(*ATTENTION, *BLOCK, parallel_residual__form="deferred")
    h = hyperparameters(
        script,
        **{"num_heads": 4, "num_kv_heads": 2, "model_dim": 32, "num_layers": 4, "mlp_mult": 2.0},
        **{"vocab_size": 64, "rope_dims": 4},
    )
    model, layer = script.GPT(h), 3
    weights = {
        **under(arrays, "w"),
        **{f"attn.c_{one}.weight": arrays[f"{one}_w"] for one in "qkv"},
        **{"attn.proj.weight": arrays["out_w"], "mlp.fc.weight": arrays["up_w"]},
        "mlp.proj.weight": arrays["down_w"],
    }
    gate = weights.pop("attn.attn_gate_w")
    block = model.blocks[layer]
    block.load_state_dict(weights)
    model.parallel_resid_lambdas.data[layer] = arrays["resid_lambdas"]
    model.parallel_post_lambdas.data[layer] = arrays["post_lambdas"]

    def gated(_, args):  # the captured attention has a gate on each head's output
        read = block.norm(block.mix(arrays["lane0"], arrays["x0"]))[..., :12]
        heads = args[0].unflatten(-1, (4, -1)) * torch.sigmoid(0.5 * read @ gate.T)[..., None]
        return (heads.flatten(-2),)

    block.attn.proj.register_forward_pre_hook(gated)
    tables = script.rotary_tables(h, 10)
    lanes = arrays["lane0"], arrays["lane1"], arrays["x0"]
    found = model.run_on_lanes(layer, *lanes, *tables, None)
    close(found, (arrays["out_lane0"], arrays["out_lane1"]))


# --- embeddings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form, wanted", [("mix0", "y"), ("keep3", "y_pr301"), ("keep5", "y_pr301")]
)
def test_smear_gate(golden, form, wanted):
    arrays = golden("smear_plain")
    script = composed("smear_gate", smear_gate__form=form)
    smear = script.SmearGate(hyperparameters(script, model_dim=16))
    if form == "keep5":
        close(smear.gate.detach(), arrays["init_gate_pr301"])
    with torch.no_grad():
        smear.gate.copy_(arrays["gate"])
    close(smear(arrays["x"]).detach(), arrays[wanted])


@pytest.mark.parametrize("hash, key", [("xor", "xor"), ("mul1009", "lin1009"), ("mul31", "lin31")])
def test_hashed_pairs(golden, hash, key):
    arrays = golden("bigram_hash")
    script = composed("bigram_hash", bigram_hash__hash=hash)
    h = hyperparameters(script, model_dim=16, bigram_vocab_size=arrays["V"], bigram_dim=8)
    bigram = script.BigramHash(h)
    with torch.no_grad():
        bigram.embed.weight.copy_(arrays["table"])
        bigram.proj.weight.copy_(arrays["proj"])
    assert torch.equal(bigram.bucket(arrays["ids"]).long(), arrays[f"ids_{key}"])
    close(bigram(arrays["ids"]).detach(), arrays[f"y_{key}"])
    if hash == "xor":  # of tokens up to 65535: the products do not fit 32 bits
        assert torch.equal(bigram.bucket(arrays["ids_large"]).long(), arrays["ids_xor_large"])


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


@pytest.mark.parametrize(
    "windows, name", [("repeat_tail", "0319"), ("repeat_tail_full_stride", "366")]
)
def test_the_first_sliding_windows_score_the_end_again_and_again(golden, windows, name):
    arrays = golden("sliding_modern") | golden("sliding_legacy")
    script = composed(*MODEL, sliding_window_eval__windows=windows)
    h, model = five_layers(
        script, arrays, train_seq_len=arrays["seq_len"], eval_stride=arrays["stride"]
    )
    model.looping = True
    validation = validation_of(script, arrays)
    assert times_scored(script, h, validation) == arrays[f"times_scored_{name}"].tolist()
    found = script.evaluate_sliding(h, model, validation)
    wanted = arrays[f"val_loss_{name}"], arrays[f"val_bpb_{name}"]
    assert found == pytest.approx(wanted, rel=1e-6)


def times_scored(script, h, validation):
    """How often each target counts."""
    times = [0] * (len(validation.tokens) - 1)
    for start in script.window_starts(h, validation):
        end = min(start + h.eval_seq_len, len(times))
        for n in range(script.first_scored(h, validation, start), end):
            times[n] += 1
    return times


@pytest.mark.parametrize(
    "replaces, wanted",
    [
        ("nothing", {"final_int8_zlib_roundtrip": "rows", "final_int8_sliding_window": "windows"}),
        ("roundtrip", {"final_int8_zlib_roundtrip": "windows"}),
        ("all", {"final_int8_zlib_roundtrip": "windows"}),
    ],
)
def test_windows_stand_beside_or_for_scores_by_rows(monkeypatch, replaces, wanted):
    script = composed("sliding_window_eval", sliding_window_eval__replaces=replaces)
    monkeypatch.setattr(script, "evaluate_sliding", lambda *_: "windows")
    if replaces != "all":
        monkeypatch.setattr(script, "evaluate", lambda *_: "rows")
    found = {}
    monkeypatch.setattr(
        script,
        "score",
        lambda h, label, evaluation, *rest: found.update({label: evaluation(h, 0, 0)}),
    )
    script.evaluate_stages(None, None, None, None)
    assert found == wanted
    assert script.evaluate(0, 0, 0) == ("windows" if replaces == "all" else "rows")


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
    score_windows, adapt = script.score_windows, script.adapt

    def scored(*args):
        seen.sums.append(score_windows(*args))
        return seen.sums[-1]

    def trained(h, stage, optimizer, loss, *rest):
        seen.losses.append(loss.item())
        adapt(h, stage, optimizer, loss, *rest)

    def stepped(optimizer, *_):
        seen.rates.append(optimizer.param_groups[0]["lr"])
        seen.weights = {name: t.clone() for name, t in model.state_dict().items()}

    monkeypatch.setattr(script, "score_windows", scored)
    monkeypatch.setattr(script, "log", lambda *_: None)
    monkeypatch.setattr(script, "adapt", trained)
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

    looping = False

    def begin_looping(self):
        self.looping = True

    def plan(self):
        return int(self.looping)

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


def test_the_moving_average_is_the_weights_themselves_until_it_starts(monkeypatch):
    steps = [{"w": torch.tensor([float(n)])} for n in range(5)]
    found, _ = train_through(
        monkeypatch, composed("ema"), steps[0], steps[1:], ema_decay=0.5, ema_start_step=2
    )
    assert found["w"].item() == 0.5 * (0.5 * 2 + 0.5 * 3) + 0.5 * 4


@pytest.mark.parametrize("name", ["ema", "swa"])
@pytest.mark.parametrize("score", ["true", "false"])
def test_an_average_need_not_be_scored_before_it_is_quantised(monkeypatch, name, score):
    steps = [{"w": torch.zeros(1)}] * 3
    script = composed(name, **{f"{name}__score": score})
    values = {"swa_every": 1, "warmdown_iters": 8} if name == "swa" else {}
    _, lines = train_through(monkeypatch, script, steps[0], steps[1:], **values)
    assert any("applying" in line for line in lines)
    assert any(f"post-{name}" in line for line in lines) == (score == "true")


# --- artifact ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, bits, sigmas, block",
    [("int6", 6, 12.85, 16), ("int8", 8, 20.0, 128), ("int5_tight", 5, 3.0, 16)],
)
def test_gptq_with_clips_by_deviation(golden, name, bits, sigmas, block):
    arrays = golden("gptq_sdclip")
    script, top = composed(*ARTIFACT), 2 ** (bits - 1) - 1
    h = hyperparameters(script, matrix_clip_sigmas=sigmas)
    w, hessian = arrays["w"], arrays["H"]
    q, scale = script.quantize_rows(h, "w", w, "matrix", bits, {"w": hessian})
    assert torch.equal(scale, arrays[f"s_{name}"])
    assert torch.equal(q, arrays[f"q_{name}"])
    q = script.round_with_hessian(h, w, scale.float(), top, hessian, block)
    assert torch.equal(q.to(torch.int8), arrays[f"q_{name}"])


def test_the_largest_weight_or_the_best_percentile_sets_a_row_s_step(golden):
    arrays = golden("quant_int6_int5_rows")
    row_max, searched = composed("row_max"), composed("clip_search")
    w = arrays["w"]
    for script, name, rows, bits in (
        (row_max, "int6", w, 6),
        (row_max, "int5", w, 5),
        (row_max, "int6_366", w, 6),
        (row_max, "vec", arrays["v"][None], 6),
        (searched, "lite", w, 6),
        (searched, "lite_big", 30 * w, 6),
    ):
        h = hyperparameters(script)
        q, scale = script.quantize_rows(h, "w", rows, "matrix", bits, {})
        assert q.view_as(arrays[f"q_{name}"]).equal(arrays[f"q_{name}"]), name
        wanted = torch.as_tensor(arrays[f"s_{name}"], dtype=scale.dtype).view(-1)
        empty = rows.abs().amax(dim=1) == 0  # a step that stands for nothing: 2**-14 there
        assert scale[~empty].equal(wanted[~empty]), name


def stored_by(monkeypatch, script, state, kinds, **values):
    """What the script stores of a model with this state dict, whose parameters have these kinds."""
    h = hyperparameters(script, device=CPU, **values)
    monkeypatch.setattr(script, "log", lambda *_: None)
    monkeypatch.setattr(script, "parameter_kinds", lambda _: kinds)
    return script.quantize(h, types.SimpleNamespace(state_dict=lambda: state))


def test_each_class_of_tensors_has_its_own_width_and_rule(golden, monkeypatch):
    arrays = golden("quant_mixed_int5_int6")
    given, wanted = under(arrays, "in"), under(arrays, "res")
    script = composed("row_max", "tensor_class_bits", "half_precision_rest")
    found = stored_by(
        monkeypatch,
        script,
        given,
        {name: "matrix" if name.endswith("weight") else "scalar" for name in given},
        **{"mlp_bits": 5, "bigram_bits": 6, "fp16_keep_name_patterns": "tok_emb,blocks.8.attn.c_k"},
        **{"int8_keep_float_max_numel": 8192, "quant_scale_floor": True},
        quant_unrounded_scale=True,
    )
    for name in given:
        if isinstance(found[name], tuple):
            assert found[name][0].equal(wanted[f"{name}.q"]), name
            assert found[name][1].equal(wanted[f"{name}.scale"]), name
        else:
            assert found[name].dtype == wanted[name].dtype and found[name].equal(wanted[name]), name


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
    "form, encoder, decoder",
    [
        ("repeat", [0, 1, 2, 3, 4, 5], [4, 5, 6, 7, 8, 9, 10]),
        ("progressive", [0, 1, 2, 3, 4, 5], [4, 5, 6, 7, 8, 9, 10]),
    ],
)
def test_layers_run_twice(form, encoder, decoder):
    script = composed("depth_recurrence", depth_recurrence__form=form)
    model = script.GPT(hyperparameters(script, num_layers=11, model_dim=64))
    model.begin_looping()
    assert model.plan() == (encoder, decoder)
    assert len(model.skip_weights) == {"repeat": 5, "progressive": 7}[form]
    model.looping = 2
    if form == "progressive":
        assert model.plan() == ([*encoder, 4], [5, 4, 5, 6, 7, 8, 9, 10])


@pytest.mark.parametrize(
    "form, values, wanted",
    [
        ("loop", {"enable_looping_at": 0.5}, ["enabled step:5 plan:1"]),
        (
            "progressive",
            {"enable_looping_at": 0.5, "loop_phase2_at": 0.65},
            ["enabled step:5 plan:1", "phase2 step:7 plan:2"],
        ),
        ("repeat", {"recur_start_step": 3}, ["enabled step:3 plan:1"]),
    ],
)
def test_when_layers_begin_to_run_again(monkeypatch, form, values, wanted):
    script = composed("depth_recurrence", depth_recurrence__form=form)
    still = {"w": torch.zeros(1)}
    _, lines = train_through(monkeypatch, script, still, [still] * 10, **values)
    assert [one for one in lines if "layer_loop" in one] == [f"layer_loop:{one}" for one in wanted]


def hidden_by_hand(model, ids, form, rows, gated):
    """The last hidden state once more, lane by lane; step n of the decoder has row rows[n]."""

    def norm(x):
        return x / (x.square().mean(-1, keepdim=True) + torch.finfo(x.dtype).eps).sqrt()

    tables = model.cos[: ids.size(1)], model.sin[: ids.size(1)]
    x0 = norm(model.tok_emb.weight[ids])
    lanes, skips, seen = [x0], [], []
    encoder, decoder = model.plan()
    for n, i in enumerate(encoder + decoder, -len(encoder)):
        if 0 <= n < len(rows):
            skip, gate = model.skip_weights[rows[n]] * skips.pop(), 0.5
            if gated:
                gate = torch.sigmoid(model.skip_gates[rows[n]])
            first = [] if form == "merge_skipless" and lanes[1:] else [0]
            for k in range(len(lanes)) if form == "cross" else first:
                lanes[k] = gate * lanes[k] + (1 - gate) * skip if gated else lanes[k] + skip
        b = model.blocks[i]
        mlp = model.repeat_mlp[0] if i == 2 and i in seen else b.mlp
        seen.append(i)
        mix = functools.partial(lambda b, x: b.resid_mix[0] * x + b.resid_mix[1] * x0, b)
        attend = functools.partial(lambda b, x: b.attn_scale * b.attn(norm(x), *tables), b)
        feed = functools.partial(lambda b, mlp, x: b.mlp_scale * mlp(norm(x)), b, mlp)
        x = mix(lanes[0])
        if i < 4:
            lanes = [x + attend(x) + feed(x + attend(x))]
        elif form == "joint":
            lanes = [x + attend(x) + feed(x)]
        elif form in ("merge", "merge_skipless"):
            lanes = [x + attend(x), lanes[-1] + feed(lanes[-1])]
        else:
            keep, write = model.parallel_resid_lambdas[i], model.parallel_post_lambdas[i]
            attended, fed = attend(x), feed(lanes[-1])
            lanes = [lanes[0], lanes[-1]]
            if form == "deferred":
                kept = [keep[k] * lanes[k] + write[1, k] * fed for k in (0, 1)]
                lanes = [kept[k] + write[0, k] * attended for k in (0, 1)]
            else:
                lanes = [keep[0] * lanes[k] + write[0, k] * attended for k in (0, 1)]
                fed = feed(mix(lanes[1]))
                lanes = [keep[1] * lanes[k] + write[1, k] * fed for k in (0, 1)]
        if n < 0:
            skips.append(lanes[0])
    share = model.lane_merge if "merge" in form else 0.5
    return norm(share * lanes[0] + (1 - share) * lanes[-1])


@pytest.mark.parametrize(
    "form, recurrence, gated, rows",
    [
        ("joint", "progressive", True, [0, 1, 2, 3]),
        ("merge", "loop", True, [0, 1, 2, 3, 4]),
        ("merge", "repeat", False, [0, 1, 2]),
        ("merge_skipless", "loop", True, [0, 1, 2, 3, 4]),
        ("cross", "repeat_last_skip", True, [0, 1, 2, 2]),
        ("cross", "loop", False, [0, 1, 2, 3, 4]),
        ("deferred", "loop", True, [0, 1, 2, 3, 4]),
    ],
)
def test_lanes_and_layers_that_run_again(form, recurrence, gated, rows):
    script = composed(
        *["gated_skips"][:gated],
        "repeat_mlp",
        "depth_recurrence",
        "parallel_residual",
        parallel_residual__form=form,
        depth_recurrence__form=recurrence,
    )
    again = {"recur_layers": (1, 2)} if "repeat" in recurrence else {"loop_start": 1, "loop_end": 2}
    h = hyperparameters(
        script,
        **{"num_layers": 6, "model_dim": 8, "num_heads": 2, "num_kv_heads": 1, "vocab_size": 16},
        **{"parallel_residual_start": 4, "repeat_untie_mlp_layers": (2,), **again},
    )
    model, ids = script.GPT(h), torch.arange(10).view(2, 5)
    model.begin_looping()
    for n, p in enumerate(model.parameters()):
        p.data = ramp(*p.shape, scale=0.5) + 0.3 * (p.ndim < 2) + 0.01 * n
    found, wanted = model.trunk(ids), hidden_by_hand(model, ids, form, rows, gated)
    close(found, wanted)
    model(ids, ids).mean().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    read = {*rows} - ({4} if form == "merge_skipless" else set())  # layer 5 comes after the split
    idle = (model.skip_weights.grad == 0).all(1).nonzero().flatten().tolist()
    assert idle == [row for row in range(len(model.skip_weights)) if row not in read]


@pytest.mark.parametrize(
    "form, wanted",
    [
        ("merge", {"lane_merge": 0.5}),
        ("cross", {"parallel_post_lambdas": 1.0, "parallel_resid_lambdas": 1.1**0.5}),
        ("deferred", {"parallel_post_lambdas": 1.0, "parallel_resid_lambdas": 1.1}),
    ],
)
def test_what_lanes_start_from(form, wanted):
    script = composed("parallel_residual", parallel_residual__form=form)
    model = script.GPT(hyperparameters(script, num_layers=2, model_dim=8, num_heads=2))
    found = {name: p for name, p in model.named_parameters() if "lane" in name or "lambda" in name}
    shapes = {
        "lane_merge": (),
        "parallel_post_lambdas": (2, 2, 2),
        "parallel_resid_lambdas": (2, 2),
    }
    assert {name: p.shape for name, p in found.items()} == {name: shapes[name] for name in wanted}
    for name, value in wanted.items():
        close(found[name].data, torch.full(shapes[name], value))
    kinds = script.parameter_kinds(model)
    assert {kinds[name] for name in wanted} == {"scalar"}


def test_the_mlp_of_a_second_visit_is_the_first_s_until_it_has_trained():
    script = composed("repeat_mlp", "depth_recurrence")
    h = hyperparameters(
        script,
        **{"num_layers": 3, "model_dim": 8, "num_heads": 2, "num_kv_heads": 1, "vocab_size": 16},
        **{"loop_start": 1, "loop_end": 1, "repeat_untie_mlp_layers": (1,), "device": CPU},
    )
    model, ids = script.GPT(h), torch.arange(10).view(2, 5)
    names = ["repeat_mlp.0.fc.weight", "repeat_mlp.0.proj.weight"]
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == names
    kinds = script.parameter_kinds(model)
    assert [kinds[name] for name in names] == ["matrix", "matrix"]
    for n, p in enumerate(model.parameters()):
        p.data = ramp(*p.shape, scale=0.5) + 0.01 * n
    model.looping, mlp = True, model.repeat_mlp[0]
    before = model.trunk(ids)
    model.begin_looping()
    assert torch.equal(mlp.fc.weight, model.blocks[1].mlp.fc.weight)
    assert not torch.allclose(model.trunk(ids), before)
    model(ids, ids).mean().backward()
    assert not torch.allclose(mlp.fc.weight.grad, model.blocks[1].mlp.fc.weight.grad)


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


@pytest.mark.parametrize(
    "windows, targets, wanted",
    [
        ("once", 23, [1] * 23),
        ("repeat_tail", 23, [1] * 20 + [2, 3, 3]),
        ("repeat_tail", 24, [1] * 21 + [3, 3, 2]),
        ("repeat_tail_full_stride", 23, [1] * 20 + [2, 2, 2]),
        ("full_only", 23, [1] * 23),
        ("full_only", 25, [1] * 23 + [0] * 2),
        ("skip_start", 23, [0] * 5 + [1] * 18),
        ("gap", 24, [1] * 8 + [0] * 2 + [1] * 12 + [0] * 2),
    ],
)
def test_a_covering_scores_each_target_as_often_as_it_says(windows, targets, wanted):
    script = composed("sliding_window_eval", sliding_window_eval__windows=windows)
    h = hyperparameters(script, train_seq_len=8, eval_stride=3, eval_batch_seqs=2, device=CPU)
    validation = types.SimpleNamespace(
        tokens=torch.arange(targets + 1), byte_counts=lambda ids, targets: targets - ids
    )
    found = times_scored(script, h, validation)
    assert found == wanted
    starts = script.window_starts(h, validation)
    sums = script.score_windows(h, lambda ids, targets: 2.0**targets, validation, starts)
    total = sum(times * 2.0 ** (n + 1) for n, times in enumerate(wanted))
    assert sums.tolist() == [total, sum(wanted), sum(wanted)]


def test_clips_follow_the_deviation_of_a_row_as_known():
    script = composed(*ARTIFACT)
    h = hyperparameters(script, matrix_clip_sigmas=12.85, embed_clip_sigmas=20.0)
    w = ramp(3, 5, scale=1.0)
    for kind, bits in (("matrix", 6), ("embedding", 8)):
        [(kept, scale)] = script.clipped(h, "w", w, kind, bits, {})
        assert scale.equal(torch.tensor(NUMBERS["clips"][kind]).half().float())
        assert torch.equal(kept, w)  # rounding clips it, and knows by how much
    h.sdclip_least_clip = 1.0
    [(_, scale)] = script.clipped(h, "w", 0.01 * w, "matrix", 6, {})
    assert scale.equal(torch.full((3,), 1 / 31).half().float())


def test_rows_of_large_weights_on_large_inputs_clip_later():
    script = composed(*ARTIFACT)
    h = hyperparameters(script, hessian_clip_lambda=0.175, gptq_damp=0.01)
    w = torch.tensor([[1.0, -1.0, 0.5, -0.5], [0.5, -0.5, 1.0, -1.0]])
    # damped by 0.01 x 2.5: 2.025, 0.425, 3.025, 4.625, so that the rows weigh 6.275 and 8.875
    hessian = torch.tensor([2.0, 0.4, 3.0, 4.6]).diag()
    plain, weighted = (
        script.clipped(h, "w", w, "matrix", 6, known)[0][1] for known in ({}, {"w": hessian})
    )
    wanted = torch.tensor([1 + 0.175 * (weight / 7.575 - 1) for weight in (6.275, 8.875)])
    torch.testing.assert_close(weighted / plain, wanted, rtol=1e-3, atol=0)  # float16 steps


def test_the_smallest_weights_of_a_large_matrix_become_zero(monkeypatch):
    w = torch.tensor([[3.0, -1.0, 4.0, -1.5], [5.0, -9.0, 2.0, 6.0]])
    found = stored_by(
        monkeypatch,
        composed("magnitude_pruning"),
        {"large": w, "small": w[:1]},
        {"large": "matrix", "small": "matrix"},
        magnitude_pruning_share=0.3,
        magnitude_pruning_above_numel=4,
    )
    # three tenths of the way along eight sorted weights: 0.1 from 2 to 3
    assert found["large"].tolist() == [[3, 0, 4, 0], [5, -9, 0, 6]]
    assert found["small"].tolist() == w[:1].tolist()


@pytest.mark.parametrize(
    "search, coarse, fine",
    [
        ("fewest", [[1, -1, 3, 0], [2, 0, -1, 1]], [[0, 0, 3, 0]]),  # three bytes too many
        ("once", [[0, 0, 3, 0], [2, 0, 0, 0]], [[0, 0, 3, 0]]),  # eight for each: all there are
    ],
)
def test_weights_of_one_step_go_until_the_submission_fits(search, coarse, fine, monkeypatch):
    build = pgolf_compose.compose(
        "baseline", added=["selective_pruning"], set=[f"selective_pruning.search={search}"]
    )
    script = as_module(build)
    monkeypatch.setattr(script, "log", lambda *_: None)
    monkeypatch.setattr(script, "__file__", __file__)
    code = Path(__file__).stat().st_size
    q = torch.tensor([[1, -1, 3, 0], [2, 1, -1, 1]], dtype=torch.int8)
    stored = {
        "coarse": (q, torch.tensor([0.5, 0.25])),
        "fine": (q[:1], torch.tensor([0.125])),
        "table": (q, torch.tensor([0.001, 0.001])),
        "float": torch.ones(3),
    }
    kinds = dict.fromkeys(stored, "matrix") | {"table": "embedding"}

    def encode(model, stored):
        left = sum((stored[name][0] != 0).sum().item() for name in ("coarse", "fine"))
        return b"", bytes(100 + left)  # a byte for each weight that is left, of ten

    monkeypatch.setattr(script, "encode", encode)
    h = hyperparameters(script, selective_pruning_target_bytes=code + 107)
    found = script.prune_to_fit(h, None, stored, kinds)
    assert (found["coarse"][0].tolist(), found["fine"][0].tolist()) == (coarse, fine)
    assert found["table"] is stored["table"] and found["float"] is stored["float"]
    h.selective_pruning_target_bytes = code + 110
    assert script.prune_to_fit(h, None, stored, kinds) is stored


def test_matrices_of_little_trace_have_a_bit_less(monkeypatch):
    script = composed("gptq", "tensor_class_bits", "sensitivity_bits")
    names = [f"blocks.{layer}.attn.c_q.weight" for layer in range(4)]
    w = ramp(8, 8, scale=1.0)
    hessians = {
        name: torch.eye(8) * much for name, much in zip(names, (1, 3, 2, 4), strict=True)
    } | {
        "tok_emb.weight": 9 * torch.eye(8)
    }  # no matrix, and no rival
    monkeypatch.setattr(script, "collect_hessians", lambda *_: hessians)
    kinds = dict.fromkeys(names, "matrix") | {"tok_emb.weight": "embedding"}
    for first, wide in (((), {1, 3}), ((0,), {0, 3})):
        found = stored_by(
            monkeypatch,
            script,
            dict.fromkeys(kinds, w),
            kinds,
            **{"n_int6_layers": 2, "int6_first_layers": first, "int8_keep_float_max_numel": 9},
        )
        widest = [int(found[name][0].abs().max()) for name in names]
        assert widest == [31 if layer in wide else 15 for layer in range(4)]
        assert found["tok_emb.weight"][0].abs().max() == 127


def test_a_model_writes_the_text_that_it_is_calibrated_on(monkeypatch):
    script = composed("gptq", "self_generated_calibration")
    monkeypatch.setattr(script, "log", lambda *_: None)
    sizes = {"num_layers": 1, "model_dim": 16, "num_heads": 2, "num_kv_heads": 1, "vocab_size": 5}
    h = hyperparameters(
        script,
        **{**sizes, "train_seq_len": 9, "seed": 1, "device": CPU, "int8_keep_float_max_numel": 9},
        **{"gptq_calib_seqs": 3, "gptq_batch_size": 2, "gptq_temperature": 0.01},
    )
    torch.manual_seed(0)
    model = script.GPT(h)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(ramp(*p.shape, scale=1.0))
    texts = script.write_texts(h, model)
    assert [tuple(ids.shape) for ids in texts] == [(2, 8), (1, 8)]
    for ids in texts:  # so cold that the likeliest token follows
        assert model.head(model.trunk(ids))[:, :-1].argmax(-1).equal(ids[:, 1:])
    assert all(map(torch.equal, texts, script.write_texts(h, model)))
    found = script.collect_hessians(h, model)
    hidden = torch.cat([model.trunk(ids).flatten(0, 1) for ids in texts])
    torch.testing.assert_close(found["tok_emb.weight"], hidden.T @ hidden / len(texts))


def test_integers_of_some_blocks_are_multiples_of_four(monkeypatch):
    w = torch.tensor([[127.0, -66, 65, 64, 3, 2, 1]])
    found = stored_by(
        monkeypatch,
        composed("coarse_codes"),
        {"blocks.0.mlp.fc.weight": w, "blocks.11.mlp.fc.weight": w, "tok_emb.weight": w},
        {
            "blocks.0.mlp.fc.weight": "matrix",
            "blocks.11.mlp.fc.weight": "matrix",
            "tok_emb.weight": "embedding",
        },
        **{"int4_layers": (1, 11), "int8_keep_float_max_numel": 0, "int8_clip_percentile": 100.0},
    )
    plain, coarse = [127, -66, 65, 64, 3, 2, 1], [127, -64, 64, 64, 4, 0, 0]
    assert found["blocks.0.mlp.fc.weight"][0].tolist() == [plain]
    assert found["blocks.11.mlp.fc.weight"][0].tolist() == [coarse]
    assert found["tok_emb.weight"][0].tolist() == [plain]


def test_the_clip_is_kept_whose_rounding_by_columns_loses_least():
    script = composed("gptq", "clip_search")
    h = hyperparameters(script, clip_search_least_clip=0.0)
    w, x = ramp(4, 200, scale=1.0), ramp(300, 200, scale=1.0)
    w[:, 7] *= 40  # outliers, for whose sake all others would be coarse
    found, scale = script.quantize_rows(h, "w", w, "matrix", 4, {"w": x.T @ x})
    errors, tries = [], []
    for quantile in (0.999, 0.9995, 0.9999, 0.99999, 1.0):
        step = (w.abs().quantile(quantile, dim=1) / 7).half()
        q = script.round_with_hessian(h, w, step.float(), 7, x.T @ x)
        errors.append((q * step[:, None] - w).square().mean().item())
        tries.append((q.to(torch.int8), step))
    q, step = tries[errors.index(min(errors))]
    assert q.equal(found) and step.equal(scale)
    assert len(set(errors)) == 5 and errors.index(min(errors)) != 4


def test_the_matrix_that_predicts_is_compensated_for_or_not(monkeypatch):
    sizes = {"num_layers": 1, "model_dim": 8, "num_heads": 2, "num_kv_heads": 1, "vocab_size": 5}
    ids = torch.tensor([[1, 2, 3]])
    found = {}
    for head in ("compensated", "nearest"):
        build = pgolf_compose.compose("baseline", added=["gptq"], set=[f"gptq.head={head}"])
        script = as_module(build)
        loader = types.SimpleNamespace(next_batch=lambda: (ids, None))
        monkeypatch.setattr(script, "Loader", lambda h, loader=loader: loader)
        monkeypatch.setattr(script, "log", lambda *_: None)
        for tied in (True, False):
            h = hyperparameters(
                script,
                **{**sizes, "train_seq_len": 3, "device": CPU, "int8_keep_float_max_numel": 9},
                **{"tie_embeddings": tied, "gptq_calibration_batches": 2},
            )
            torch.manual_seed(0)
            model = script.GPT(h)
            found[head, tied] = script.collect_hessians(h, model)
            h.gptq_damp_collected = 0.01
            damped = script.collect_hessians(h, model)["blocks.0.mlp.fc.weight"]
            plain = found[head, tied]["blocks.0.mlp.fc.weight"]
            close(damped, plain + 0.01 * plain.diagonal().mean() * torch.eye(8))
    for tied, name in ((True, "tok_emb.weight"), (False, "lm_head.weight")):
        assert found["compensated", tied].keys() == found["nearest", tied].keys() | {name}


def test_integers_are_packed_without_their_unused_bits():
    script = composed("bit_packing")
    q = torch.tensor([[1, -1], [2, -31]], dtype=torch.int8)
    # 000001 111111 000010 100001
    assert script.pack_bits(q).tolist() == [0b00000111, 0b11110000, 0b10100001]
    for bits in range(1, 9):
        top = 2 ** (bits - 1) - 1
        q = (torch.arange(2 * 3 * 11) % (2 * top + 1) - top).to(torch.int8).view(2, 33)
        packed = script.pack_bits(q)
        assert len(packed) == -(-66 * bits // 8)
        assert script.unpack_bits(packed, q.shape).equal(q)


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


PREVIOUS = [[0, 5], [5, 7], [7, 7]]  # (previous, token) of the ids 5, 7, 7


@pytest.mark.parametrize(
    "hash, buckets",
    [
        # the last of 100 buckets is the first position's
        ("xor", [99, (36313 * 7 ^ 27191 * 5) % 99, (36313 * 7 ^ 27191 * 7) % 99]),
        ("mul92821", [(92821 * previous + token) % 100 for previous, token in PREVIOUS]),
        ("mul31", [(31 * 5 + 5) % 100, (31 * 5 + 7) % 100, (31 * 7 + 7) % 100]),
        ("mul1009", [(1009 * previous + token) % 100 for previous, token in PREVIOUS]),
    ],
)
def test_a_pair_finds_its_bucket_by_hand(hash, buckets):
    script = composed("bigram_hash", bigram_hash__hash=hash)
    h = hyperparameters(script, bigram_vocab_size=100, bigram_dim=4)
    assert script.BigramHash(h).bucket(torch.tensor([[5, 7, 7]])).tolist() == [buckets]


@pytest.mark.parametrize(
    "form, mixed",
    # of the columns 1, 2, 4: gates of 0, 3 and 5 let 1/2, 1/(1 + e^3) and 1/(1 + e^5) through
    [("mix0", [0.5, 1.5, 3.0]), ("keep3", [0.9525741, 1.9525741, 3.9051483]), ("keep5", None)],
)
def test_a_position_starts_with_this_much_of_the_one_before(form, mixed):
    script = composed("smear_gate", smear_gate__form=form)
    smear = script.SmearGate(hyperparameters(script, model_dim=1))
    share = 1 / (1 + math.exp(5))
    mixed = mixed or [1 - share, 2 - share, 4 - 2 * share]
    close(smear(torch.tensor([[[1.0], [2.0], [4.0]]])).flatten().detach(), torch.tensor(mixed))


def small_model(*techniques, chosen=None, **values):
    """A GPT of four layers of width 64 with these techniques, and its hyperparameters."""
    script = composed(*techniques, **(chosen or {}))
    sizes = {"num_layers": 4, "model_dim": 64, "num_heads": 4, "num_kv_heads": 2}
    sizes |= {"vocab_size": 96, "train_seq_len": 16, "device": CPU}
    h = hyperparameters(script, **{**sizes, **values})
    torch.manual_seed(1)
    return script, h, script.GPT(h)


@pytest.mark.parametrize("T, slowed", [(8, 1), (16, 2 ** (16 / 14)), (24, 3 ** (16 / 14))])
def test_a_sequence_turns_by_the_base_of_its_length(T, slowed):
    lengths = {"train_seq_len": 16, "eval_seq_len": 24}
    _, _, model = small_model("ntk_rope", rope_train_seq_len=8, **lengths)
    for block in model.blocks:
        torch.nn.init.orthogonal_(block.attn.proj.weight)
    ids = torch.arange(2 * T).view(2, T) % 96
    for base, same in ((10000.0 * slowed, True), (10000.0, T == 8)):
        plain = small_model(rope_base=base, **lengths)[2]
        plain.load_state_dict(model.state_dict())
        assert torch.allclose(model(ids, ids), plain(ids, ids), rtol=1e-5, atol=1e-6) is same


def test_listed_layers_read_a_second_embedding_in_their_values():
    _, _, model = small_model("value_embedding", ve_dim=8, ve_layers=(1, -1))
    ids, seen = torch.arange(12).view(1, 12), {}
    with torch.no_grad():
        torch.nn.init.normal_(model.ve_shared.proj.weight)
        model.ve_layer_scales[1].fill_(3.0)
    for layer, block in enumerate(model.blocks):
        # what c_v is without the embedding
        block.attn.c_v.register_forward_hook(lambda m, x, y, n=layer: seen.update({n: y}))
    kernel = torch.nn.functional.scaled_dot_product_attention
    values = []

    def attend(q, k, v, **rest):
        values.append(v.transpose(1, 2).flatten(2))
        return kernel(q, k, v, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", attend)
        model(ids, ids)
    own = 0.1 * model.ve_shared.embed.weight[ids] @ model.ve_shared.proj.weight.T
    for layer, scale in enumerate((0.0, 1.0, 0.0, 3.0)):
        close(values[layer], seen[layer] + scale * own)


@pytest.mark.parametrize("layer, taken", [(-1, 2), (0, 0)])
def test_a_share_of_a_middle_layer_is_taken_back_out(layer, taken):
    script, _, model = small_model("backout", backout_layer=layer, backout_lambda_init=0.5)
    outputs = []
    for block in model.blocks:
        torch.nn.init.orthogonal_(block.mlp.proj.weight)
        block.register_forward_hook(lambda m, x, y: outputs.append(y))
    found = model.trunk(torch.arange(12).view(1, 12))
    close(found, script.rms_norm(outputs[-1] - 0.5 * outputs[taken]))


def test_the_normaliser_costs_in_training_and_not_in_scores():
    _, _, model = small_model("z_loss", z_loss_weight=0.5)
    ids = torch.arange(12).view(1, 12)
    logits = model.head(model.trunk(ids))
    normaliser = logits.exp().sum(-1).log()
    close(model(ids, ids) - model.eval()(ids, ids), 0.5 * normaliser**2)


def test_singular_values_of_the_embedding_fall_as_overtones_do():
    before, after = (small_model(*words)[2].tok_emb.weight for words in ((), ("overtone_init",)))
    largest = torch.linalg.svdvals(before)[0]
    close(torch.linalg.svdvals(after), largest / torch.arange(1, 65) ** 0.5)


def test_layers_start_with_their_share_of_the_stream():
    model = small_model("phase_init")[2]
    # sigmoid(-1.5), sigmoid(-0.5), sigmoid(0.5), sigmoid(1.5)
    for block, share in zip(
        model.blocks, (0.1824255, 0.3775407, 0.6224593, 0.8175745), strict=True
    ):
        close(block.resid_mix.detach(), torch.tensor([[share], [1 - share]]).expand(2, 64))


def test_projections_that_are_not_zero_start_smaller_by_the_depth():
    added = ("mup_init", "orthogonal_init", "bigram_hash", "value_embedding")
    model = small_model(*added, bigram_dim=64, ve_dim=64, num_kv_heads=4)[2]
    for name, p in model.named_parameters():
        if name in ("bigram.proj.weight", "ve_shared.proj.weight"):
            close(torch.linalg.svdvals(p), torch.full((64,), 8**-0.5))
        elif name.endswith("proj.weight"):
            assert not p.any(), name
        elif name.endswith("c_q.weight"):
            close(torch.linalg.svdvals(p), torch.ones(64))


def test_the_second_half_of_the_layers_trains_at_its_own_rates():
    script, h, model = small_model("decoder_lr", decoder_lr_mult=3.0, matrix_lr=0.1, scalar_lr=0.2)
    names = {id(p): name for name, p in model.named_parameters()}
    rates = {
        names[id(p)]: group["base_lr"]
        for optimizer in script.make_optimizers(h, model)
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert len(rates) == len(names)
    for layer, times in enumerate((1, 1, 3, 3)):
        assert rates[f"blocks.{layer}.mlp.fc.weight"] == pytest.approx(0.1 * times)
        assert rates[f"blocks.{layer}.attn.q_gain"] == pytest.approx(0.2 * times)
    assert rates["skip_weights"] == 0.2 and rates["tok_emb.weight"] == h.tied_embed_lr


@pytest.mark.parametrize(
    "chosen, table, proj",
    [
        ({}, "tied_embed_lr", "matrix_lr"),
        ({"bigram_hash__table_optimizer": "muon"}, "matrix_lr", "matrix_lr"),
        ({"bigram_hash__table_optimizer": "scalar"}, "scalar_lr", "matrix_lr"),
        ({"bigram_hash__proj_optimizer": "scalar"}, "tied_embed_lr", "scalar_lr"),
    ],
)
def test_the_optimizer_of_a_table_and_of_its_projection_is_chosen(chosen, table, proj):
    rates = {"tied_embed_lr": 0.1, "matrix_lr": 0.2, "scalar_lr": 0.3}
    script, h, model = small_model("bigram_hash", chosen=chosen, **rates)
    held = {
        id(p): group["lr"]
        for optimizer in script.make_optimizers(h, model)
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert held[id(model.bigram.embed.weight)] == rates[table]
    assert held[id(model.bigram.proj.weight)] == rates[proj]


@pytest.mark.parametrize("buckets, there", [(0, False), (1, False), (2, True)])
def test_without_buckets_there_is_no_table(buckets, there):
    model = small_model("bigram_hash", bigram_vocab_size=buckets)[2]
    assert ("bigram.embed.weight" in model.state_dict()) == there
    assert model(torch.tensor([[5, 7, 7]]), torch.tensor([[7, 7, 9]])).shape == (1, 3)


@pytest.mark.parametrize(
    "optimizer, table", [("embedding", torch.float16), ("scalar", torch.float)]
)
def test_what_is_too_small_for_integers_is_stored_as_pr_277_did(optimizer, table):
    chosen = {"bigram_hash__table_optimizer": optimizer}
    script, h, model = small_model("star_relu", "bigram_hash", chosen=chosen)
    h.int8_keep_float_max_numel = 2**19
    stored = script.quantize(h, model)
    assert stored["bigram.embed.weight"].dtype == stored["bigram.proj.weight"].dtype == table
    assert stored["blocks.0.mlp.scale"].dtype == stored["blocks.0.mlp.bias"].dtype == torch.float16
    assert stored["blocks.0.mlp_scale"].dtype == torch.float32
    h.int8_keep_float_max_numel = 0
    stored = script.quantize(h, model)
    assert isinstance(stored["bigram.embed.weight"], tuple)
    assert isinstance(stored["blocks.0.mlp.scale"], tuple)
