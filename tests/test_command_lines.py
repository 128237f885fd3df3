"""A record's own environment, set for the composed readable script, gives the composed values."""

import json
import re

import pytest
from conftest import SHARED, as_module

import pgolf_compose
from pgolf_compose.recipe import bundled_recipes, read_recipe

# names of a record's environment that its recipe leaves out, and why
LEFT_OUT: dict[str, dict[str, str]] = {
    "2026-03-19_SlidingWindowEval": {
        "NUM_LOOPS": "1: its layers ran once, and no adapters were on"
    },
    "2026-03-22_11L_EMA_GPTQ-lite_warmdown3500_QAT015_1.1233": {
        "SWA_EVERY": "of a mean of weights that was collected and never applied",
    },
    "2026-03-23_LeakyReLU_LegalTTT_ParallelMuon": {"SWA_EVERY": "as on 2026-03-22"},
    "2026-04-03_MuonEqR_DepthRecurrence_WD090_AllInt6": {
        "MIXED_QUANT": "66 of 66 matrices have full width",
        "N_INT6_LAYERS": "66 of 66 matrices have full width",
        "RECUR_WARMUP_STEPS": "WARMUP_STEPS warm up every plan of layers",
    },
    "pr277": {
        "SWA_START_FRAC": "SWA stands in where EMA_ENABLED is 0",
        "SWA_EVERY": "SWA stands in where EMA_ENABLED is 0",
        "TTT_MOMENTUM": "its optimizer is AdamW",
    },
    "pr301": {"QAT_START_FRAC": "its hooks come too late for what torch.compile has made"},
}


def published() -> dict[str, dict]:
    """By bundled recipe, what the catalogs say that its run set."""
    records = {}
    for path in sorted((SHARED / "catalog").glob("*.json")):
        for record in json.loads(path.read_text())["records"]:
            records |= {record.get(key): record for key in ("pr", "dir")}
    recipes = {name: read_recipe(path) for name, path in bundled_recipes().items()}
    found = {
        # a pull request may have brought several records: the folder's name tells them apart
        name: records.get(name) or records.get(recipe.submission.get("pr", name))
        for name, recipe in recipes.items()
    }
    return {name: record["hyperparameters"] for name, record in found.items() if record}


PUBLISHED = published() if SHARED.is_dir() else {}


def spelt(value) -> str:
    """As a shell would set it: 1 and 0 for switches, lists with commas."""
    return str(int(value)) if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_the_environment_of_the_record_is_read_and_changes_nothing(name, monkeypatch):
    build = pgolf_compose.compose(name, allow_noncompliant=True)
    read = {
        one
        for names in re.findall(r'env\(\s*"([^"]+)"', build.script.code)
        for one in names.split()
    }
    left_out = LEFT_OUT.get(name, {})
    wanted = {
        key: spelt(value)
        for key, value in PUBLISHED[name].items()
        if key not in left_out and (key in read or value not in (0, 0.0))  # off and not composed
    }
    assert sorted(wanted.keys() - read) == []
    assert left_out.keys() & read == set()
    composed = vars(as_module(build).Hyperparameters)
    for key, value in wanted.items():
        monkeypatch.setenv(key, value)
    asked_for = vars(as_module(build).Hyperparameters)
    own = {"log_path", "device", "__dict__", "__weakref__"}  # of the moment and the machine
    differing = {
        k: (v, asked_for[k]) for k, v in composed.items() if k not in own and asked_for[k] != v
    }
    assert differing == {}
