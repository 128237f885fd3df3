"""Training through rounded weights: on which grid, from when on, and without a new graph."""

import pytest
import torch
from conftest import as_module, hyperparameters, run_script
from torch._dynamo.testing import CompileCounter

import pgolf_compose

W = torch.tensor(
    [[0.51, -0.26, 0.1, 0.03], [3.1, -1.0, 0.2, -3.1], [0.011, -0.02, 0.004, 0.0]],
)


def composed(*choices: str):
    given = [f"late_qat.{choice}" for choice in choices]
    return pgolf_compose.compose("baseline", added=["late_qat", "metrics"], set=given)


@pytest.mark.parametrize(
    "grid, steps, wanted",
    [
        (
            "row_max_floor",
            [1 / 31, 0.1, 1 / 31],
            [[16, -8, 3, 1], [31, -10, 2, -31], [0, -1, 0, 0]],
        ),
        (
            "row_max",
            [0.51 / 31, 0.1, 0.02 / 31],
            [[31, -16, 6, 2], [31, -10, 2, -31], [17, -31, 6, 0]],
        ),
        (
            "clip_floor",
            [0.51 / 31, 0.1, 1 / 31 / 31],
            [[31, -16, 6, 2], [31, -10, 2, -31], [11, -19, 4, 0]],
        ),
        (
            # 4.8e-6 of the way down from the largest of four to the next
            "quantile",
            [0.5099988 / 31, 0.1, 0.01999996 / 31],
            [[31, -16, 6, 2], [31, -10, 2, -31], [17, -31, 6, 0]],
        ),
        (
            "every_fourth",
            [0.51 / 127, 3.1 / 127, 0.02 / 127],
            [[124, -64, 24, 8], [124, -40, 8, -128], [72, -128, 24, 0]],
        ),
    ],
)
def test_weights_lie_on_the_grid_that_is_named(grid, steps, wanted):
    found = as_module(composed(f"grid={grid}")).on_grid(W, 6)
    torch.testing.assert_close(
        found, torch.tensor(wanted) * torch.tensor(steps)[:, None], rtol=1e-6, atol=0
    )


def test_a_layer_reads_rounded_weights_in_training_and_hands_gradients_straight_through():
    script = as_module(composed("start=always", "grid=row_max"))
    model = script.GPT(
        hyperparameters(script, num_layers=1, model_dim=32, num_heads=2, num_kv_heads=1)
    )
    layer = model.blocks[0].mlp.fc
    x = torch.eye(32)
    assert torch.equal(layer(x).T, layer.weight)  # nothing has been switched on
    script.round_matrices(model)
    torch.testing.assert_close(layer(x).T, script.on_grid(layer.weight, 6))
    layer(x).sum().backward()
    assert torch.equal(layer.weight.grad, torch.ones_like(layer.weight))
    model.eval()
    assert torch.equal(layer(x).T, layer.weight)


@pytest.mark.parametrize(
    "matrices, wanted",
    [("all", {"block", "head"}), ("blocks", {"block"}), ("others", {"head"})],
)
def test_the_matrices_that_are_named_are_rounded(matrices, wanted):
    script = as_module(composed(f"matrices={matrices}"))
    sizes = {"num_layers": 1, "model_dim": 32, "num_heads": 2, "num_kv_heads": 1}
    model = script.GPT(hyperparameters(script, tie_embeddings=False, **sizes))
    rounded = {name for name, one in model.named_modules() if getattr(one, "qat", None) is not None}
    assert {"head" if name == "lm_head" else "block" for name in rounded} == wanted


def test_rounding_begins_in_a_compiled_model_without_a_new_graph():
    script = as_module(composed())
    sizes = {"num_layers": 2, "model_dim": 32, "num_heads": 2, "num_kv_heads": 1, "vocab_size": 64}
    model = script.GPT(hyperparameters(script, train_seq_len=16, **sizes)).train()
    graphs = CompileCounter()
    forward = torch.compile(model, backend=graphs, fullgraph=True, dynamic=False)
    ids = (torch.arange(32).view(2, 16) * 7) % 64
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.sin(torch.arange(p.numel()) ** 1.5).view_as(p) / 9)
    before = forward(ids, ids).detach()
    torch.testing.assert_close(before, model(ids, ids))
    script.round_matrices(model)
    after = forward(ids, ids).detach()
    torch.testing.assert_close(after, model(ids, ids))
    assert graphs.frame_count == 1
    assert (after - before).abs().max() > 1e-4
    torch._dynamo.reset()


def trained(build, data, folder, **env):
    """Losses and Muon's rates of four steps."""
    env = {"ITERATIONS": "4", "WARMDOWN_ITERS": "4", **env}
    ran = run_script(build.readable, folder, DATA_DIR=str(data), **env)
    assert ran.exit_code == 0, ran.stderr
    steps = [one for one in ran.events if one["event"] == "step"]
    rates = [g["lr"] for one in steps for g in one["groups"] if g["optimizer"] == "Muon"]
    return [one["train_loss"] for one in steps], rates


@pytest.fixture(scope="module")
def plain(short, tmp_path_factory):
    build = pgolf_compose.compose("baseline", added=["metrics"])
    return trained(build, short, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "choices, unrounded",
    [
        (["start=always"], 1),  # branches add nothing yet: their last matrices are zero
        (["start=rate", "threshold=0.6"], 2),  # rates fall 1, 0.75, 0.5, 0.25
        (["start=rate", "threshold=0.3"], 3),
        (["start=time", "start_frac=0"], 4),  # of a wall clock that there is not
        (["start=rate", "threshold=0.6", "switch=baked"], 4),
    ],
)
def test_training_feels_the_switch_from_the_step_it_is_thrown(
    choices, unrounded, plain, short, tmp_path
):
    losses, rates = trained(composed(*choices), short, tmp_path)
    same = [a == pytest.approx(b, rel=1e-7) for a, b in zip(losses, plain[0], strict=True)]
    assert same == [True] * unrounded + [False] * (4 - unrounded)
    assert rates == plain[1]


def test_rates_may_drop_once_when_rounding_begins(plain, short, tmp_path):
    _, rates = trained(composed("threshold=0.6", "lr_factor=0.5"), short, tmp_path)
    assert rates == pytest.approx([a * b for a, b in zip(plain[1], (1, 1, 0.5, 0.5), strict=True)])


def test_it_may_begin_after_a_share_of_the_wall_clock(short, tmp_path):
    env = {"MAX_WALLCLOCK_SECONDS": "600", "WARMDOWN_ITERS": "0"}
    at_once = trained(composed("start=time", "start_frac=0"), short, tmp_path / "time", **env)
    assert at_once == trained(composed("start=always"), short, tmp_path / "always", **env)
