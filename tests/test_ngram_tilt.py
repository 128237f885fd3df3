"""Hints of the text so far, against a naive count; what is tilted by them stays a distribution."""

import types
from collections import Counter

import numpy as np
import pytest
import torch
from conftest import as_module, hyperparameters, ramp

import pgolf_compose

CPU = torch.device("cpu")
TEXT = ([1, 2, 3, 4, 5, 6, 7, 8, 9, 1] * 4 + [2, 3, 4, 5, 6, 7, 8, 9, 1, 6] * 3) * 3


@pytest.fixture(scope="module")
def script():
    return as_module(pgolf_compose.compose("baseline", added=["sliding_window_eval", "ngram_tilt"]))


def counted(tokens: list[int], stride: int) -> list[tuple[int, float]]:
    """Each token's hint and its share: look the contexts up, then count, token by token."""
    followers, leader, found = {}, {}, []
    for n, token in enumerate(tokens):
        contexts = [tuple(tokens[n - order : n]) for order in range(8, 17, stride) if order <= n]
        hint = (-1, 0.0)
        for context in contexts:  # the longest that is sure has the last word
            order, seen = len(context), followers.setdefault(context, Counter())
            share, least = (0.7, 3) if order < 11 else (0.6, 2) if order < 14 else (0.5, 2)
            times, best = seen.total(), leader.get(context)
            if times >= least and seen[best] / times >= share:
                hint = best, seen[best] / times
        found.append(hint)
        for context in contexts:
            seen = followers[context]
            seen[token] += 1
            if seen[token] > seen[leader.get(context)]:
                leader[context] = token
    return found


def texts():
    rng = np.random.default_rng(0)
    yield TEXT
    for size, kinds in ((0, 3), (5, 3), (300, 2), (3000, 2), (3000, 3)):
        yield rng.integers(0, kinds, size).tolist()
    for _ in range(5):
        pieces = [rng.integers(0, 50, rng.integers(9, 30)).tolist() for _ in range(4)]
        yield [token for n in rng.integers(0, 4, 60) for token in pieces[n]]


@pytest.mark.parametrize("tokens", list(texts()))
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_hints_are_those_of_one_count_from_left_to_right(script, tokens, stride):
    h = hyperparameters(script, ngram_order_stride=stride)
    hints, tilts = script.ngram_hints(h, torch.tensor(tokens, dtype=torch.int64))
    wanted = counted(tokens, stride)
    assert hints.tolist() == [hint for hint, _ in wanted]
    assert tilts.tolist() == pytest.approx([2 * share for _, share in wanted], rel=1e-6)


def test_a_hint_depends_on_what_stands_before_it_only(script):
    h = hyperparameters(script)
    whole = script.ngram_hints(h, torch.tensor(TEXT))
    assert (whole[0] >= 0).sum() > 50
    for cut in range(0, len(TEXT), 7):
        other = TEXT[:cut] + [(token * 3 + 1) % 10 for token in TEXT[cut:]]
        found = script.ngram_hints(h, torch.tensor(other))
        assert all(
            torch.equal(a[: cut + 1], b[: cut + 1]) for a, b in zip(found, whole, strict=True)
        )


@pytest.fixture(scope="module")
def nats(script):
    """The score, in nats, of each token as the successor of TEXT[:n], and what stands behind it."""
    small = {"model_dim": 16, "num_heads": 2, "num_kv_heads": 1, "num_layers": 2, "vocab_size": 10}
    window = {"train_seq_len": 16, "eval_stride": 1, "eval_batch_seqs": 1, "device": CPU}
    h = hyperparameters(script, **small, **window)
    model = script.GPT(h).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(ramp(*p.shape, scale=0.5))
    model.with_hints = model.losses_with_hints

    @torch.no_grad()
    def score(n):
        found = []
        for token in range(10):
            tokens = torch.tensor([*TEXT[:n], token])
            hints, tilts = script.ngram_hints(h, tokens)
            validation = types.SimpleNamespace(
                tokens=tokens, hints=hints, tilts=tilts, byte_counts=lambda ids, targets: 0 * ids
            )
            found.append(script.score_windows(h, model, validation, [n - 16])[0])
        ids = torch.tensor(TEXT[n - 16 : n])[None]
        plain = model.head(model.trunk(ids))[0, -1].double().softmax(0)
        return torch.stack(found), plain, hints[n].item(), tilts[n].item()

    return score


@pytest.mark.parametrize("n", range(18, len(TEXT), 9))
def test_the_odds_of_the_hint_alone_are_lifted_and_all_odds_add_up_to_one(nats, n):
    found, plain, hint, tilt = nats(n)
    odds = torch.exp(-found)
    assert odds.sum().item() == pytest.approx(1, abs=1e-6)
    lifted = plain * torch.exp(torch.tensor([tilt * (token == hint) for token in range(10)]))
    torch.testing.assert_close(odds, lifted / lifted.sum(), rtol=1e-5, atol=0)
    assert (hint == -1) == (tilt == 0)


def test_text_that_was_there_before_is_told_better(nats):
    untold = [n for n in range(18, len(TEXT)) if counted(TEXT[: n + 1], 2)[n][0] == -1]
    told = [n for n in range(18, len(TEXT)) if counted(TEXT[: n + 1], 2)[n][0] == TEXT[n]]
    assert len(untold) > 10 and len(told) > 10
    for n in told[::20]:
        found, plain, *_ = nats(n)
        assert found[TEXT[n]] < -plain[TEXT[n]].log()


@pytest.mark.parametrize(
    "scores, wanted", [("all", [True, True, True]), ("last", [False, False, True])]
)
def test_which_scores_are_tilted_is_chosen(scores, wanted, monkeypatch):
    script = as_module(
        pgolf_compose.compose(
            "baseline",
            added=["score_first_ttt", "sliding_window_eval", "ngram_tilt"],
            set=[f"ngram_tilt.scores={scores}"],
        )
    )
    found, h = [], hyperparameters(script, device=CPU)

    def look(h, forward, validation):
        found.append(hasattr(validation, "hints"))

    for name in ("evaluate", "evaluate_sliding", "evaluate_score_first"):
        monkeypatch.setattr(script, name, look)
    monkeypatch.setattr(script, "log", lambda *_: None)
    monkeypatch.setattr(script, "score", lambda h, _, run, *rest: run(h, *rest[1:]))
    model = types.SimpleNamespace(losses_with_hints=None)
    script.evaluate_stages(h, model, model, types.SimpleNamespace(tokens=torch.tensor(TEXT)))
    assert found == wanted
