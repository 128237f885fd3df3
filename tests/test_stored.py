"""What the model will take is told before it is trained: held to the sizes of public runs."""

import math
import re

import pytest

import pgolf_compose
from pgolf_compose.report import classes, facts
from pgolf_compose.shapes import parameter_shapes
from pgolf_compose.stored import CODECS, entropy

RECIPES = [
    "2026-04-05_SP8192_GPTQ-Embeddings_SDClip_Loop45x2",
    "2026-04-06_SP8192_HessianSDClip_ProgressiveRecurrence",
    "2026-04-06_SP8192_QK5_LegalTTT_1.0828",
    "2026-04-08_SP8192_ParallelResid_ScoreFirstTTT",
    "2026-04-09_A2_Muon097_3Seed",
    "2026-04-09_SP8192_3LayerRecur_ParResid_QK525_LegalTTT",
]
CI = {RECIPES[0], RECIPES[-1]}  # the others have the same tensors
MODEL = re.compile(r"Serialized model quantized\+brotli: (\d+) bytes")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.exhaustive] * (n not in CI)) for n in RECIPES]
)
def test_the_artifacts_of_public_runs_lie_in_the_interval(name, shared):
    build = pgolf_compose.compose(name)
    found, why = classes(build)
    least, most = (sum(one.bytes[end] for one in found) for end in (0, 1))
    assert why == "" and most - least < 0.0041 * most
    sizes = [
        int(MODEL.findall(path.read_text("utf-8"))[-1])
        for path in (shared / "records" / "track_10min_16mb" / name).glob("*.log")
    ]
    assert len(sizes) >= 3 and least < min(sizes) and max(sizes) < most
    shapes = parameter_shapes(build.script)
    assert sum(one.numbers for one in found) == sum(math.prod(s) for s in shapes.values())
    vars(build)["packed"] = bytes(1000)  # what is told of the model is no matter of the code
    assert facts(build, 1000).artifact == (least + 1000, most + 1000)


def test_so_do_those_of_other_clips_and_bits(shared):
    """Later scripts, which no recipe composes: the same tensors, clips and bits of their own."""
    seen = []
    for path in shared.glob("records/track_10min_16mb/2026-04-*/*.log"):
        log = path.read_text("utf-8", errors="replace")
        size = MODEL.findall(log)
        if not size or "attn_clip_sigmas:" not in log or "lqer_enabled: True" in log:
            continue

        def value(name, log=log):
            return float(re.search(rf"{name}: ?([\d.]+)", log)[1])

        sizes = 0.0
        numbers = int(value("model_params"))
        for count, rows, clip, bits in (
            (22 * 2048 * 512, 11 * 2560, "mlp", value("matrix_bits")),
            (33 * 512 * 512, 11 * 1536, "attn", value("matrix_bits")),
            (8192 * 512, 8192, "embed", value("embed_bits")),
        ):
            top = 2 ** (int(bits) - 1) - 1
            sizes += count * entropy(value(f"{clip}_clip_sigmas") / top, top) / 8 + 1.4 * rows
            numbers -= count
        gates = 45056 if "gated_attn_enabled: True" in log else 0  # in one byte each
        sizes += 2 * (numbers - gates) + gates
        least, most = CODECS["brotli"]
        assert least * sizes < int(size[-1]) < most * sizes, path
        seen.append(path)
    assert len(seen) == 20


@pytest.mark.parametrize(
    "clip, bits, wanted", [(12.85, 6, 3.3278), (20, 8, 4.7151), (14, 7, 4.2199), (0.3, 2, 0.0)]
)
def test_entropies_are_those_of_drawn_numbers(clip, bits, wanted):
    import torch

    top = 2 ** (bits - 1) - 1
    drawn = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0))
    odds = (drawn * top / clip).round().clamp(-top, top).unique(return_counts=True)[1] / 1e6
    found = entropy(clip / top, top)
    assert found == pytest.approx(-(odds * odds.log2()).sum().item(), abs=2e-3)
    assert not wanted or found == pytest.approx(wanted, abs=5e-4)


@pytest.mark.parametrize(
    "added, why",
    [
        (["brotli_codec"], "not predicted: more than a row's deviation sets its step"),
        (["brotli_codec", "sdclip", "bit_packing"], "bit_packing changed how it is made"),
        (["zstd_codec", "sdclip"], "no public run tells what zstd makes of these integers"),
    ],
)
def test_what_cannot_be_told_says_why(added, why):
    build = pgolf_compose.compose("baseline", added=added)
    vars(build)["packed"] = b""
    assert why in classes(build)[1] and why in facts(build, 1000).why
    assert facts(build, 1000).artifact is None


def test_a_least_clip_is_a_matter_of_the_weights():
    added, settings = ["brotli_codec", "sdclip"], ["sdclip_least_clip=1"]
    found, why = classes(pgolf_compose.compose("baseline", added=added, set=settings))
    assert (found, why) == ([], "not predicted: more than a row's deviation sets its step")
    found, why = classes(pgolf_compose.compose("baseline", added=added))
    assert why == "" and {one.bits for one in found} == {8, 32}
