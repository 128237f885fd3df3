import math

import pytest
from conftest import as_module, hyperparameters

import pgolf_compose
from pgolf_compose.script import Script
from pgolf_compose.shapes import Unknown, parameter_shapes


@pytest.mark.parametrize(
    "settings", [[], ["tie_embeddings=false", "num_layers=4", "vocab_size=99"]]
)
def test_the_count_is_what_torch_counts(settings):
    build = pgolf_compose.compose("baseline", set=settings)
    module = as_module(build)
    with module.torch.device("meta"):
        model = module.GPT(hyperparameters(module))
    torch_says = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert parameter_shapes(build.script) == torch_says


def test_the_baseline_has_17_059_912_parameters(baseline):
    shapes = parameter_shapes(baseline.script)
    assert sum(math.prod(shape) for shape in shapes.values()) == 17_059_912


def model(body: str) -> Script:
    code = (
        f"import torch\nfrom torch import nn\n\n\nclass Hyperparameters:\n    d = 4\n\n\n{body}\n"
    )
    return Script("test", code, ())


def test_a_shared_parameter_counts_once():
    code = """class GPT(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.a = nn.Embedding(10, h.d)
        self.b = nn.Linear(h.d, 10, bias=False)
        self.b.weight = self.a.weight
"""
    assert parameter_shapes(model(code)) == {"a.weight": (10, 4)}


@pytest.mark.parametrize(
    "line",
    [
        "self.a = nn.Conv1d(4, 4, 3)",
        "self.a = nn.Parameter(torch.linspace(0, 1, 9))",
        "self.a = nn.Parameter(torch.ones(4).repeat(3, 1))",
        "self.a = nn.Parameter(torch.ones(int(torch.tensor(3).item())))",
    ],
)
def test_what_only_torch_can_tell_is_not_guessed(line):
    code = f"class GPT(nn.Module):\n    def __init__(self, h):\n        super().__init__()\n        {line}\n"
    with pytest.raises(Unknown):
        parameter_shapes(model(code))
