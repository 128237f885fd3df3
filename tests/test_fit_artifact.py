"""Clips are widened until script and model fill the limit, and nothing over it is written."""

import re
from pathlib import Path

import pytest
import torch
from conftest import as_module, hyperparameters, ramp

import pgolf_compose

SIZES = {"num_layers": 1, "model_dim": 64, "num_heads": 2, "num_kv_heads": 1, "vocab_size": 256}
CODE = 8000  # bytes of a script
TECHNIQUES = ["fit_artifact", "sdclip", "tensor_class_bits"]
CODERS = ["brotli_codec", pytest.param("entropy_coded_weights", marks=pytest.mark.exhaustive)]


@pytest.fixture(scope="module", params=CODERS)
def composed(request, tmp_path_factory):
    script = as_module(pgolf_compose.compose("baseline", added=[*TECHNIQUES, request.param]))
    script.__file__ = str(tmp_path_factory.mktemp("composed") / "train_gpt.py")
    Path(script.__file__).write_bytes(bytes(CODE))
    return script


@pytest.fixture
def fitting(composed):
    """Quantise a small model to a limit, given as a factor of what it takes."""
    script = composed
    script.CLIPS[0], told = 1.0, []
    script.log = lambda h, line: told.append(line)

    def fit(share: float, **values):
        h = hyperparameters(
            script, int8_keep_float_max_numel=1000, fit_artifact_window=256, **SIZES, **values
        )
        model = script.GPT(h)
        for n, p in enumerate(model.parameters()):
            torch.nn.init.normal_(p, generator=torch.Generator().manual_seed(n))
        _, data = script.encode(model, script.quantize(h, model))
        h.fit_artifact_limit = int(CODE + share * len(data))
        stored, _, data = script.fitted(h, model)
        assert script.encode(model, stored)[1] == data
        return h, told, h.fit_artifact_limit - CODE - len(data)

    return fit


@pytest.mark.parametrize("share", [1.0, 0.95, 0.8, 1.1])
def test_the_artifact_lands_in_the_window_below_the_limit(fitting, share):
    h, told, left = fitting(share)
    last, room = map(int, re.findall(r"(\d+) bytes of (\d+)", told[-1])[0])
    assert 0 <= left <= h.fit_artifact_window
    assert 1 <= len(told) <= 3
    assert left == room - last


def test_a_model_that_is_too_small_keeps_the_finest_steps_allowed(fitting):
    h, told, left = fitting(3.0, fit_artifact_narrowest=0.5)
    assert left > h.fit_artifact_window
    assert "clips 0.50000 times" in told[-1] and len(told) <= 3


def test_a_model_that_is_too_large_stops_with_the_numbers(fitting, capsys):
    with pytest.raises(SystemExit) as ended:
        fitting(0.4, fit_artifact_widest=1.5)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert re.search(r"takes \d+ bytes of \d+, clips 1.50000 times as wide", error)


def test_what_no_clip_makes_fit_is_pruned_where_steps_are_finest(fitting):
    _, told, left = fitting(0.97, fit_artifact_widest=1.01)
    assert left >= 0 and "ones of 1/" in told[-1]


def test_when_time_is_up_what_fits_is_taken_as_it_is(fitting):
    _, told, left = fitting(1.2, fit_artifact_seconds=0.0)
    assert left > 0 and len(told) == 1


def test_a_model_over_the_limit_is_not_written(composed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(composed, "log", lambda h, line: None)
    h = hyperparameters(composed, int8_keep_float_max_numel=1000, fit_artifact_limit=12345, **SIZES)
    with pytest.raises(SystemExit) as ended:
        composed.write_artifact(h, composed.GPT(h))
    assert ended.value.code == 2 and "the model takes" in capsys.readouterr().err
    assert list(tmp_path.glob("*.ptz")) == [] and (tmp_path / "final_model.pt").exists()


def test_calibration_reads_training_data_once(tmp_path):
    build = pgolf_compose.compose("baseline", added=[*TECHNIQUES, "gptq"])
    script = as_module(build)
    script.__file__ = str(tmp_path / "train_gpt.py")
    Path(script.__file__).write_bytes(bytes(CODE))
    h = hyperparameters(
        script, int8_keep_float_max_numel=1000, fit_artifact_window=1, train_seq_len=16, **SIZES
    )
    h.gptq_calibration_batches, h.fit_artifact_limit = 2, CODE + 16_000
    ids, loaders = ramp(2, 16, scale=1).abs().mul(200).long(), []

    class Loader:
        def __init__(self, h):
            loaders.append(self)

        def next_batch(self):
            return ids, ids

    script.Loader, script.log = Loader, lambda h, line: None
    torch.manual_seed(0)
    model = script.GPT(h)
    tries, quantize = [], script.quantize
    script.quantize = lambda *args: tries.append(1) or quantize(*args)
    script.fitted(h, model)
    assert len(tries) == 3 and len(loaders) == 1
