"""The host's functions against numbers: our own small ones, and those captured from public code."""

import math

import pytest
import torch
from conftest import SHARED, TIGHT, hyperparameters, loaded, ramp, sizes, under, validation_of

# taken down when every captured number agreed
NUMBERS = {
    "losses": [[2.6572651863, 2.6621365547, 2.1858701705, 2.4933958053]],
    "orthogonalized": [
        [0.4819165468, 0.1991441547, -0.5388661623],
        [0.6536024808, -0.6687029004, 0.5869160890],
    ],
    "quantized": [[108, 40, -114, 127], [-127, 109, -42, -77]],
    "scales": [0.02337646484375, 0.023223876953125],
}


def test_rms_norm(host, golden):
    arrays = golden("rms_norm")
    torch.testing.assert_close(host.rms_norm(arrays["x"]), arrays["y"], **TIGHT)


def test_rotary(host, golden):
    arrays = golden("rope_full")
    h = hyperparameters(host, model_dim=16, num_heads=1, rope_base=float(arrays["base"]))
    cos, sin = host.rotary_tables(h, 12)
    turned = host.rotate(arrays["x"].transpose(1, 2), cos, sin).transpose(1, 2)
    torch.testing.assert_close(turned, arrays["y"], **TIGHT)


def test_attention(host, golden):
    arrays = golden("attn_qkgain_baseline")
    h = hyperparameters(host, **sizes(arrays))
    attention = loaded(host.CausalSelfAttention(h, 0), arrays)
    y = attention(arrays["x"], *host.rotary_tables(h, 10))
    torch.testing.assert_close(y, arrays["y"], **TIGHT)


def test_mlp(host, golden):
    arrays = golden("mlp_relu2")
    h = hyperparameters(host, model_dim=16, mlp_mult=3.0)
    torch.testing.assert_close(loaded(host.MLP(h, 0), arrays)(arrays["x"]), arrays["y"], **TIGHT)


def test_block(host, golden):
    arrays = golden("block_baseline")
    hidden = arrays["w/mlp.fc.weight"].shape[0]
    h = hyperparameters(host, **sizes(arrays), mlp_mult=hidden / 32)
    block = loaded(host.Block(h, 0), arrays)
    y = block(arrays["x"], arrays["x0"], *host.rotary_tables(h, 10))
    torch.testing.assert_close(y, arrays["y"], **TIGHT)


def whole_model(host, arrays):
    blocks = {key.split(".")[1] for key in under(arrays, "w") if key.startswith("blocks.")}
    hidden = arrays["w/blocks.0.mlp.fc.weight"].shape[0]
    h = hyperparameters(
        host, **sizes(arrays), num_layers=len(blocks), vocab_size=64, mlp_mult=hidden / 32
    )
    return h, loaded(host.GPT(h), arrays)


def test_loss_and_gradients_of_the_whole_model(host, golden):
    arrays = golden("gpt_baseline_loss")
    _, model = whole_model(host, arrays)
    loss = model(arrays["ids"][:, :-1], arrays["ids"][:, 1:]).mean()
    assert loss.item() == pytest.approx(arrays["loss"], rel=1e-6)
    loss.backward()
    for name, p in model.named_parameters():
        if f"g/{name}" in arrays:
            torch.testing.assert_close(p.grad, arrays[f"g/{name}"], **TIGHT)


def test_bits_per_byte(host, golden):
    arrays = golden("val_bpb_baseline")
    h, model = whole_model(host, arrays)
    h.eval_seq_len, h.val_batch_size = 32, 2 * 32 * 8
    found = host.evaluate(h, model, validation_of(host, arrays))
    assert found == pytest.approx((arrays["val_loss"], arrays["val_bpb"]), rel=1e-7)


@pytest.mark.parametrize("vocabulary", [1024, 8192])
def test_bytes_per_token(host, golden, vocabulary):
    arrays = golden(f"bpb_luts_sp{vocabulary}")
    path = SHARED / "conformance" / "data" / "tokenizers" / f"fineweb_{vocabulary}_bpe.model"
    h = hyperparameters(host, vocab_size=vocabulary, tokenizer_path=str(path))
    h.device = torch.device("cpu")
    counts = host.ByteCounts(h)
    assert torch.equal(counts.base, arrays["base_bytes"])
    assert torch.equal(counts.space, arrays["leading_space"])
    assert torch.equal(counts.boundary, arrays["boundary"])
    tokens = arrays["tokens"].to(torch.int64)
    assert torch.equal(counts(tokens[:-1], tokens[1:]), arrays["bytes_per_target"])


def test_softcap(host, golden):
    arrays = golden("softcap")
    h = hyperparameters(host, model_dim=32, num_layers=2, vocab_size=64, num_heads=4)
    model = host.GPT(h)
    model.tok_emb.weight.data.copy_(arrays["emb"])
    torch.testing.assert_close(model.head(arrays["hidden"]), arrays["logits"], **TIGHT)


def test_newton_schulz(host, golden):
    arrays = golden("newton_schulz")
    for name in ("wide", "tall"):
        update = host.orthogonalize(arrays[f"G_{name}"][None], 5)[0]
        torch.testing.assert_close(update, arrays[f"ns5_{name}"], **TIGHT)


def test_muon(host, golden):
    arrays = golden("muon_plain")
    h = hyperparameters(host, muon_backend_steps=5)
    h.device = torch.device("cpu")
    params = [torch.nn.Parameter(arrays[f"w{n}_before"].clone()) for n in range(3)]
    optimizer = host.Muon(h, params, lr=arrays["lr"], momentum=arrays["momentum"])
    for step in (0, 1):
        for n, p in enumerate(params):
            p.grad = arrays[f"grad{n}_step{step}"].clone()
        optimizer.step()
        for n, p in enumerate(params):
            torch.testing.assert_close(p.data, arrays[f"w{n}_after{step + 1}"], **TIGHT)


def as_tree(host, tensors):
    """Modules that own tensors of these names as a model's would."""
    root = torch.nn.Module()
    for name, tensor in tensors.items():
        *path, leaf = name.split(".")
        owner = root
        for n, part in enumerate(path):
            if not hasattr(owner, part):
                last = n == len(path) - 1 and leaf == "weight"
                kind = torch.nn.Embedding if part == "tok_emb" else host.CastedLinear
                size = (len(tensor), tensor.shape[-1]) if kind is torch.nn.Embedding else None
                module = kind(*(size or tensor.shape[::-1])) if last else torch.nn.Module()
                owner.add_module(part, module)
            owner = getattr(owner, part)
        if tensor.is_floating_point() and leaf != "weight":
            owner.register_parameter(leaf, torch.nn.Parameter(tensor.clone()))
        elif leaf != "weight":
            owner.register_buffer(leaf, tensor)
        else:
            owner.weight.data.copy_(tensor)
    return root


def test_quantisation_of_the_public_baseline(host, golden):
    arrays = golden("quant_int8_baseline")
    inputs = {name: torch.as_tensor(value) for name, value in under(arrays, "in").items()}
    h = hyperparameters(host, quant_scale_floor=True, quant_unrounded_scale=True)
    model = as_tree(host, inputs)
    stored = host.quantize(h, model)
    artifact = host.pack(stored, model.state_dict())
    kinds = {"q": "quantized", "s": "scales", "pass": "passthrough"}
    for short, kind in kinds.items():
        wanted = under(arrays, short)
        assert artifact[kind].keys() == wanted.keys()
        for name, value in wanted.items():
            assert torch.equal(artifact[kind][name], torch.as_tensor(value)), (kind, name)
    for name, t in host.dequantize(host.unpack(artifact), model).items():
        torch.testing.assert_close(t, torch.as_tensor(arrays[f"out/{name}"]), **TIGHT)


# --- our own small set, for when no captured numbers are at hand -------------------------------


@pytest.fixture(scope="module")
def small(host):
    h = hyperparameters(host, vocab_size=11, num_layers=3, model_dim=8, num_heads=2, num_kv_heads=1)
    model = host.GPT(h)
    with torch.no_grad():
        for n, p in enumerate(model.parameters()):
            p.copy_(ramp(*p.shape) + 0.01 * n)
    return h, model


def test_a_small_model_gives_its_known_loss(small):
    _, model = small
    ids = torch.tensor([[1, 5, 7, 2, 9]])
    losses = model(ids[:, :-1], ids[:, 1:])
    torch.testing.assert_close(losses, torch.tensor(NUMBERS["losses"]), **TIGHT)


def test_a_small_matrix_is_orthogonalised_as_known(host):
    found = host.orthogonalize(ramp(1, 2, 3), 5)[0]
    torch.testing.assert_close(found, torch.tensor(NUMBERS["orthogonalized"]), **TIGHT)


def test_small_rows_quantise_as_known(host):
    h = hyperparameters(host)
    q, scale = host.quantize_rows(h, "w", ramp(2, 4, scale=3.0), "matrix", 8, {})
    assert q.tolist() == NUMBERS["quantized"]
    assert scale.tolist() == pytest.approx(NUMBERS["scales"], rel=1e-3)


def test_the_floor_under_a_row_s_step_is_the_public_quirk(host):
    w = ramp(2, 4, scale=0.5)
    for floor, most in ((False, 127), (True, 64)):
        h = hyperparameters(host, quant_scale_floor=floor)
        q, _ = host.quantize_rows(h, "w", w, "matrix", 8, {})
        assert q.abs().max().item() == pytest.approx(most, abs=1)


def test_bf16_tables_collapse_positions_only_in_bf16(host):
    def tables(**values):
        h = hyperparameters(host, model_dim=8, num_heads=1, **values)
        return host.rotary_tables(h, 1024)[0]

    exact = tables(rope_bf16_tables=False)
    assert torch.equal(tables(rope_bf16_tables=True, precision="fp32"), exact)
    public = tables(rope_bf16_tables=True, precision="bf16")
    assert len(exact[:, 0, 0].unique()) > 1000 and len(public[:, 0, 0].unique()) < 600


def test_the_schedule_follows_steps_without_a_cap_and_the_clock_with_one(host):
    h = hyperparameters(host, iterations=10, warmdown_iters=4)
    by_steps = [host.lr_scale(h, step, 0.0, math.inf) for step in (0, 6, 7, 10)]
    assert by_steps == [1.0, 1.0, 0.75, 0.0]
    # steps of 100 ms, capped at 1 s: the last 400 ms go down
    assert [host.lr_scale(h, n, 100.0 * n, 1000.0) for n in (1, 6, 8)] == [1.0, 1.0, 0.5]
    assert host.lr_scale(h, 11, 1100.0, 1000.0) == 0.0


def test_muon_s_momentum_warms_up_in_a_line(host):
    h = hyperparameters(host, muon_momentum_warmup_steps=10)
    found = [host.muon_momentum(h, step) for step in (0, 5, 10, 20)]
    assert found == pytest.approx([0.85, 0.9, 0.95, 0.95])
    h.muon_momentum_warmup_steps = 0
    assert host.muon_momentum(h, 1) == 0.95


def test_every_parameter_reaches_one_optimizer_group(host, small, capsys):
    h, model = small
    h.device = torch.device("cpu")
    groups = [group for one in host.make_optimizers(h, model) for group in one.param_groups]
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    forgotten = torch.nn.Parameter(torch.ones(1))
    model.register_parameter("forgotten", forgotten)
    [_, _, scalars] = optimizers = host.make_optimizers(h, model)
    [group] = scalars.param_groups
    group["params"] = [p for p in group["params"] if p is not forgotten]
    with pytest.raises(SystemExit) as caught:
        host.check_coverage(model, optimizers)
    del model.forgotten
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "baseline.py: parameter forgotten is in 0 optimizer groups instead of one\n"
    )


def test_initialisation_alone_draws_from_the_global_generator(host, small):
    h, model = small
    h.device = torch.device("cpu")
    state = torch.random.get_rng_state()
    model(
        torch.ones(1, 4, dtype=torch.int64), torch.ones(1, 4, dtype=torch.int64)
    ).mean().backward()
    for optimizer in host.make_optimizers(h, model):
        optimizer.step()
    packed = host.pack(host.quantize(h, model), model.state_dict())
    host.dequantize(host.unpack(packed), model)
    assert torch.equal(torch.random.get_rng_state(), state)
    model.zero_grad()
