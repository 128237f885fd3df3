"""Integers through the entropy coder: exact, near their entropy, the same bytes everywhere."""

import functools
import hashlib
import math

import numpy as np
import pytest
import torch
from conftest import as_module, hyperparameters

import pgolf_compose

KNOWN = 5029, "a9b9ebe889173c8d"  # words, and how their SHA-256 begins
SIZES = {"num_layers": 1, "model_dim": 32, "num_heads": 2, "num_kv_heads": 1, "vocab_size": 64}


@pytest.fixture(params=["columns", "static"])
def script(request):
    return composed(f"entropy_coded_weights.tables={request.param}")


@functools.cache
def build(*given):
    return pgolf_compose.compose("baseline", added=["entropy_coded_weights"], set=list(given))


def composed(*given):
    return as_module(build(*given))


def normal(rows: int, columns: int, spread: float, seed: int = 0) -> torch.Tensor:
    """Rounded normal numbers from PCG64's integers alone, alike under every release of numpy."""
    quarters = np.random.PCG64(seed).random_raw(rows * columns * 3).reshape(-1, 3)
    parts = np.stack([quarters >> shift & 0xFFFF for shift in (0, 16, 32, 48)]).astype(int)
    total = parts.sum((0, 2)) - 12 * 32768  # of 12 uniform numbers, deviation 65536
    return torch.from_numpy(np.floor_divide(total * int(1000 * spread) + 32768000, 65536000)).view(
        rows, columns
    )


def entropy(q) -> float:
    """Bits per integer of a tensor by itself."""
    shares = np.unique(q, return_counts=True)[1] / q.numel()
    return float(-(shares * np.log2(shares)).sum())


class Model:
    def __init__(self, tensors):
        self.tensors = {str(n): t for n, t in enumerate(tensors)}

    def state_dict(self):
        return self.tensors


def coded(script, tensors) -> np.ndarray:
    """The words that integers become, after they were decoded from nothing but these."""
    kept = {}
    script.pack = lambda stored, state: kept.update(stored) or {}
    stored = {
        str(n): (t.to(torch.int8), torch.ones(len(t) if t.ndim == 2 else 1, dtype=torch.float16))
        for n, t in enumerate(tensors)
    }
    script.encode(Model(tensors), stored)
    assert all(isinstance(value, torch.Tensor) for value in kept.values())
    blank = {name: (torch.zeros_like(q), scale) for name, (q, scale) in stored.items()}
    script.decode({**kept, **blank}, kept[""].long().numpy())
    for n, t in enumerate(tensors):
        assert torch.equal(blank[str(n)][0], t.to(torch.int8))
    return kept[""].numpy()


@pytest.mark.parametrize("bits", range(2, 9))
def test_integers_of_every_width_come_back(script, bits):
    top = 2 ** (bits - 1) - 1
    q = normal(64, 96, top / 3).clamp(-top, top)
    coded(script, [q, -q.T, torch.full((4, 128), -top)])


@pytest.mark.parametrize(
    "tensors",
    [
        [torch.zeros(8, 512)],
        [torch.full((1, 512), 127), torch.full((1, 512), -128)],
        [torch.arange(512) % 255 - 127],
        [normal(2, 1280, 3), normal(64, 1, 20), normal(5, 1536, 1).view(5, 3, 512)],
        [],
    ],
    ids=["zeros only", "the ends of int8", "one dimension", "odd widths", "nothing"],
)
def test_edge_cases_come_back(script, tensors):
    coded(script, tensors)


def test_one_symbol_takes_next_to_nothing(script):
    words = coded(script, [torch.full((2048, 512), 3)])
    assert words.nbytes < 4096 + 1000


def test_normal_integers_take_their_entropy(script):
    """Beside it: 8 bytes of state for each lane, of which half can carry something."""
    q = normal(2048, 512, 2.4)
    words = coded(script, [q])
    assert 8 * (words.nbytes - 4096) / q.numel() < entropy(q) + 0.005


def test_columns_of_their_own_size_take_less_than_their_common_entropy():
    sizes = torch.exp(normal(1, 512, 250, seed=1) / 1000)
    q = torch.round(normal(1024, 512, 2400) / 1000 * sizes).long()
    apart = sum(map(entropy, q.T)) / 512
    found = [
        8 * coded(composed(f"entropy_coded_weights.tables={tables}"), [q]).nbytes / q.numel()
        for tables in ("columns", "static")
    ]
    assert apart < found[0] < entropy(q) - 0.01 < found[1]


def test_the_words_are_the_same_everywhere():
    script = composed()
    words = coded(script, [normal(32, 1024, 3), normal(64, 32, 8, seed=1)])
    assert (len(words), hashlib.sha256(words.astype("<i4").tobytes()).hexdigest()[:16]) == KNOWN


def artifact(script, model, h, folder):
    path = folder / "model.ptz"
    _, data = script.encode(model, script.quantize(h, model))
    path.write_bytes(data)
    return path, data


def test_a_file_that_was_cut_or_changed_is_refused_in_one_line(tmp_path, capsys):
    script = composed()
    h = hyperparameters(script, int8_keep_float_max_numel=1000, **SIZES)
    model = script.GPT(h)
    path, data = artifact(script, model, h, tmp_path)
    script.read_artifact(h, model, path)
    changed = [bytearray(data) for _ in range(40)]
    for n, one in enumerate(changed):
        one[n * (len(data) - 1) // 39] ^= 1 << n % 8
    for damaged in [b"", data[:3], data[:-1], data[: len(data) // 2], data + b"\0", *changed]:
        path.write_bytes(damaged)
        with pytest.raises(SystemExit) as ended:
            script.read_artifact(h, model, path)
        assert ended.value.code == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and f"{path} is damaged" in told


def test_a_model_is_read_back_as_it_was_quantised(script, tmp_path):
    h = hyperparameters(script, int8_keep_float_max_numel=1000, **SIZES)
    model = script.GPT(h)
    stored = script.quantize(h, model)
    path, _ = artifact(script, model, h, tmp_path)
    script.read_artifact(h, model, path)
    for name, t in script.dequantize(stored, model).items():
        assert torch.equal(t, model.state_dict()[name]), name


def test_what_does_not_come_back_is_not_written(monkeypatch):
    script = composed()
    h = hyperparameters(script, int8_keep_float_max_numel=1000, **SIZES)
    model = script.GPT(h)
    right = script.decode

    def wrong(stored, words):
        right(stored, words)
        stored["tok_emb.weight"][0][3, 5] += 1

    monkeypatch.setattr(script, "decode", wrong)
    with pytest.raises(SystemExit):
        script.encode(model, script.quantize(h, model))


@pytest.mark.parametrize("bits, wanted", [(10, 0), (3, 2**-4), (1, 2**-2)])
def test_coarse_steps_are_known_to_whoever_rounds_and_survive_storage(bits, wanted):
    build = pgolf_compose.compose(
        "baseline", added=["coarse_scales"], set=[f"coarse_scales.mantissa_bits={bits}"]
    )
    script = as_module(build)
    scale = torch.exp(normal(1, 500, 800)[0] / 1000 - 5).half().float()
    coarse = script.as_stored(scale)
    assert (coarse / scale).log2().abs().max() <= math.log2(1 + wanted) + 1e-6
    assert torch.equal(coarse, script.as_stored(coarse)) and (coarse > 0).all()
    assert len((coarse.frexp()[0]).unique()) <= 2**bits
    assert (script.as_stored(torch.zeros(3)) > 0).all()
