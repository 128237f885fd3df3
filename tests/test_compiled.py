"""Composition costs nothing at run time: one graph, compiled before the clock, no idle operation.

`benchmarks/compiled.py` prints what is asserted here.
"""

from collections import Counter

import pytest
import torch
from benchmarks import compiled
from torch.fx.experimental.proxy_tensor import make_fx

RECIPES = list(compiled.HAND_WRITTEN)


@pytest.fixture(autouse=True)
def forget():
    """Nothing compiled for one test is found by the next, nor by other tests."""
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_variant_of_the_model_is_one_graph_without_a_break(recipe):
    assert {found[1:] for found in compiled.graphs(recipe)} == {(1, 0)}


@pytest.fixture(scope="module", params=RECIPES)
def run(request):
    """A whole run whose evaluations have full batches only."""
    return compiled.run(request.param, compiled.FULL)


def test_every_training_graph_is_compiled_before_the_clock(run):
    training = [new for line, new in run.log if "train_loss" in line]
    assert training == [Counter()] * compiled.STEPS
    warm_up = sum((new for line, new in run.log if "warmup_step" in line), Counter())
    began = [line for line, _ in run.log if line.startswith("layer_loop:enabled")]
    assert warm_up["GPT"] == 1 + len(began)
    assert warm_up["orthogonalize"] > 0


def test_a_run_compiles_no_more_graphs_than_it_has_stages(run):
    assert run.graphs <= run.stages


def test_short_last_batches_do_not_take_a_run_to_the_limit_of_torch():
    done = compiled.run("2026-04-09_SP8192", compiled.SHORT)
    assert done.graphs <= torch._dynamo.config.cache_size_limit


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_no_operation_is_there_that_a_model_written_by_hand_does_without(recipe, precision):
    for _, (ours, ours_real), (theirs, theirs_real) in compiled.compared(recipe, precision):
        assert ours_real <= theirs_real, ours - theirs
        assert ours.total() <= theirs.total(), ours - theirs


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_model_written_by_hand_has_the_same_loss_and_gradients(recipe):
    composed, written, tokens = compiled.pair(recipe)
    for looping in compiled.variants(composed):
        composed.looping = written.looping = looping
        (loss, gradients), (other, others) = (
            compiled.loss_and_gradients(model, dict(model.named_parameters()), *tokens)
            for model in (composed, written)
        )
        torch.testing.assert_close(loss, other, rtol=1e-5, atol=0)
        assert gradients.keys() == others.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, others[name], rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize(("recipe", "sizes"), [("baseline", {"num_layers": 2})])
def test_what_is_counted_is_what_make_fx_traces(recipe, sizes):
    composed, _, tokens = compiled.pair(recipe, **sizes)
    parameters = dict(composed.named_parameters())
    traced = make_fx(lambda given: compiled.loss_and_gradients(composed, given, *tokens))(
        parameters
    )
    nodes = [str(node.target) for node in traced.graph.nodes if node.op == "call_function"]
    counted, _ = compiled.operations(composed, *tokens)
    assert Counter(name for name in nodes if name.startswith("aten.")) == counted
