"""Techniques against numbers: those captured from public scripts, and our own small ones."""

import functools
import math
import types

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


@functools.cache
def composed(*words):
    """The baseline with these techniques, and choices of them like `smear_gate.form=keep3`."""
    choices = [word for word in words if "=" in word]
    techniques = [word for word in words if "=" not in word]
    return as_module(pgolf_compose.compose("baseline", added=techniques, set=choices))


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


@pytest.mark.parametrize("form, start", [("sequential", 4), ("parallel", 3)])
def test_a_block_from_which_branches_run_side_by_side(golden, form, start):
    arrays = golden(f"block_{form}")
    script = composed(*BLOCK)
    h = hyperparameters(script, **sizes(arrays), parallel_residual_start=start)
    block = loaded(script.Block(h, arrays["layer_idx"]), arrays)
    y = block(arrays["x"], arrays["x0"], *script.rotary_tables(h, 10))
    close(y, arrays["y"])


# --- embeddings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form, wanted", [("mix0", "y"), ("keep3", "y_pr301"), ("keep5", "y_pr301")]
)
def test_smear_gate(golden, form, wanted):
    arrays = golden("smear_plain")
    script = composed("smear_gate", f"smear_gate.form={form}")
    smear = script.SmearGate(hyperparameters(script, model_dim=16))
    if form == "keep5":
        close(smear.gate.detach(), arrays["init_gate_pr301"])
    with torch.no_grad():
        smear.gate.copy_(arrays["gate"])
    close(smear(arrays["x"]).detach(), arrays[wanted])


@pytest.mark.parametrize("hash, key", [("xor", "xor"), ("mul1009", "lin1009"), ("mul31", "lin31")])
def test_hashed_pairs(golden, hash, key):
    arrays = golden("bigram_hash")
    script = composed("bigram_hash", f"bigram_hash.hash={hash}")
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
    script = composed(*techniques)
    h = hyperparameters(script, muon_backend_steps=5, muon_wd=arrays["wd"], device=CPU)
    params = [torch.nn.Parameter(arrays[f"w{n}_before"].clone()) for n in range(3)]
    optimizer = script.Muon(h, params, lr=arrays["lr"], momentum=arrays["momentum"])
    for step in (0, 1):
        for n, p in enumerate(params):
            p.grad = arrays[f"grad{n}_step{step}"].clone()
        optimizer.step()
        for n, p in enumerate(params):
            close(p.data, arrays[f"w{n}_after{step + 1}"])


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
    script = composed("bigram_hash", f"bigram_hash.hash={hash}")
    h = hyperparameters(script, bigram_vocab_size=100, bigram_dim=4)
    assert script.BigramHash(h).bucket(torch.tensor([[5, 7, 7]])).tolist() == [buckets]


@pytest.mark.parametrize(
    "form, mixed",
    # of the columns 1, 2, 4: gates of 0, 3 and 5 let 1/2, 1/(1 + e^3) and 1/(1 + e^5) through
    [("mix0", [0.5, 1.5, 3.0]), ("keep3", [0.9525741, 1.9525741, 3.9051483]), ("keep5", None)],
)
def test_a_position_starts_with_this_much_of_the_one_before(form, mixed):
    script = composed("smear_gate", f"smear_gate.form={form}")
    smear = script.SmearGate(hyperparameters(script, model_dim=1))
    share = 1 / (1 + math.exp(5))
    mixed = mixed or [1 - share, 2 - share, 4 - 2 * share]
    close(smear(torch.tensor([[[1.0], [2.0], [4.0]]])).flatten().detach(), torch.tensor(mixed))


def small_model(*words, **values):
    """A GPT of four layers of width 64 with these techniques, and its hyperparameters."""
    script = composed(*words)
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
    "choice, table, proj",
    [
        ("table_optimizer=embedding", "tied_embed_lr", "matrix_lr"),
        ("table_optimizer=muon", "matrix_lr", "matrix_lr"),
        ("table_optimizer=scalar", "scalar_lr", "matrix_lr"),
        ("proj_optimizer=scalar", "tied_embed_lr", "scalar_lr"),
    ],
)
def test_the_optimizer_of_a_table_and_of_its_projection_is_chosen(choice, table, proj):
    rates = {"tied_embed_lr": 0.1, "matrix_lr": 0.2, "scalar_lr": 0.3}
    script, h, model = small_model("bigram_hash", f"bigram_hash.{choice}", **rates)
    held = {
        id(p): group["lr"]
        for optimizer in script.make_optimizers(h, model)
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert held[id(model.bigram.embed.weight)] == rates[table]
    assert held[id(model.bigram.proj.weight)] == rates[proj]
