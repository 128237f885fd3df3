"""Test-time training: what its choices train, when, on which process, compiled or not."""

import functools
import math
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from benchmarks.compiled import counting
from conftest import as_module, hyperparameters, ramp, run_script

import pgolf_compose

SIZES = {"num_layers": 3, "model_dim": 16, "num_heads": 2, "num_kv_heads": 1, "vocab_size": 32}
T = 8


@functools.cache
def composed(*techniques, set=(), recipe="baseline"):
    return pgolf_compose.compose(recipe, added=techniques, set=set, allow_noncompliant=True)


def small(build, rows=5, **values):
    """A script as a module, its model with no parameter at zero, and so many rows of text."""
    script = as_module(build)
    script.log = lambda *_: None
    device = torch.device("cpu")
    h = hyperparameters(script, **SIZES, train_seq_len=T, device=device, **values)
    torch.manual_seed(0)
    model = script.GPT(h)
    with torch.no_grad():
        for p in model.parameters():
            p += ramp(*p.shape)
    validation = SimpleNamespace(
        tokens=torch.arange(rows * T + 1) ** 2 % 31,
        byte_counts=lambda previous, targets: torch.ones_like(targets),
    )
    return script, h, model, validation


def recorded(script, monkeypatch):
    """What is passed to `adapt`: rate and loss of every update."""
    seen, adapt = SimpleNamespace(rates=[], losses=[]), script.adapt

    def watched(h, stage, optimizer, loss, *rest):
        seen.rates.append(optimizer.param_groups[0]["lr"])
        seen.losses.append(loss.item())
        adapt(h, stage, optimizer, loss, *rest)

    monkeypatch.setattr(script, "adapt", watched)
    return seen


def copied(model):
    return {name: t.clone() for name, t in model.state_dict().items()}


# --- on the whole text, before it is scored ------------------------------------------------------

EVERY = "attn.c_q.weight attn_scale mlp.fc.weight"


@pytest.mark.parametrize(
    "settings, trained",
    [
        (["freeze=blocks"], {"tok_emb": "weight", "1": EVERY, "2": EVERY}),
        (["freeze=blocks_and_embedding"], {"1": EVERY, "2": EVERY}),
        (
            ["freeze=block_scalars"],
            {"tok_emb": "weight", "0": "attn.c_q.weight mlp.fc.weight", "1": EVERY, "2": EVERY},
        ),
        (["mlp_only=true"], {"1": "mlp.fc.weight", "2": "mlp.fc.weight"}),
    ],
)
def test_what_is_frozen_stays_and_all_else_trains(settings, trained):
    build = composed("val_pretrain_ttt", set=tuple(f"val_pretrain_ttt.{one}" for one in settings))
    script, h, model, validation = small(build, ttt_freeze_blocks=1, ttt_epochs=1)
    before = copied(model)
    script.train_on_validation(h, model, validation)
    after = model.state_dict()
    watched = ["tok_emb.weight", *(f"blocks.{n}.{one}" for n in range(3) for one in EVERY.split())]
    changed = {name for name in watched if not torch.equal(after[name], before[name])}
    assert changed == {
        f"blocks.{where}.{name}" if where.isdigit() else f"{where}.{name}"
        for where, names in trained.items()
        for name in names.split()
    }
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    "overlap, batches", [("false", [(0, 3), (3, 6), (6, 8)]), ("true", [(0, 4), (3, 7), (6, 8)])]
)
def test_a_batch_may_hold_the_first_row_of_the_next_one(overlap, batches, monkeypatch):
    build = composed("val_pretrain_ttt", set=(f"val_pretrain_ttt.batches_overlap={overlap}",))
    values = {"ttt_epochs": 1, "ttt_lr": 0.0, "ttt_batch_seqs": 3}
    script, h, model, validation = small(build, rows=8, **values)
    seen, tokens = recorded(script, monkeypatch), validation.tokens
    with torch.no_grad():
        rows = model(tokens[:-1].view(-1, T), tokens[1:].view(-1, T)).mean(1)
    script.train_on_validation(h, model, validation)
    wanted = [rows[first:end].mean().item() for first, end in batches]
    assert seen.losses == pytest.approx(wanted, rel=1e-6)


def test_the_rate_falls_with_each_epoch_towards_a_tenth(monkeypatch):
    build = composed("val_pretrain_ttt", set=("val_pretrain_ttt.cosine_decay=true",))
    script, h, model, validation = small(build, ttt_epochs=3, ttt_lr=1e-3, ttt_batch_seqs=3)
    seen = recorded(script, monkeypatch)
    script.train_on_validation(h, model, validation)
    # 0.1 + 0.9 (1 + cos(0, 60 and 120 degrees)) / 2, for two batches each
    assert seen.rates == pytest.approx([1e-3, 1e-3, 7.75e-4, 7.75e-4, 3.25e-4, 3.25e-4])


@pytest.mark.parametrize("technique", ["score_first_ttt", "val_pretrain_ttt"])
def test_adamw_takes_a_step_of_its_rate_and_decays(technique, monkeypatch):
    needs = ("sliding_window_eval",) if technique == "score_first_ttt" else ()
    build = composed(*needs, technique, set=(f"{technique}.optimizer=adamw",))
    values = {"ttt_epochs": 1, "ttt_lr": 1e-3, "ttt_adamw_wd": 0.5, "ttt_batch_seqs": 99}
    if technique == "score_first_ttt":
        values |= {"ttt_chunk_tokens": 3 * T, "eval_stride": T}
    script, h, model, validation = small(build, ttt_grad_clip=0, **values)
    trained, step = [], torch.optim.AdamW.step
    before = model.state_dict()["skip_weights"].clone()

    def stepped(self):
        step(self)
        trained.append(model.state_dict()["skip_weights"].clone())

    monkeypatch.setattr(torch.optim.AdamW, "step", stepped)
    run = getattr(script, "evaluate_score_first", None) or script.train_on_validation
    run(h, model, validation)
    [after] = trained
    # the first step of Adam is its rate, whatever the gradient
    moved = (after - before * (1 - 1e-3 * 0.5)).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 1e-3), rtol=1e-3, atol=0)


def weights(ran, at):
    [found] = [one for one in ran.events if one["event"] == "weights" and one["at"] == at]
    return {name: norm for name, (_, norm) in found["tensors"].items()}


@pytest.mark.parametrize(
    "when, stages, shipped_learned, left_learned",
    [
        ("before_scoring", ["roundtrip", "sliding_window"], False, True),
        ("extra_score", ["roundtrip", "sliding_window", "val_pretrain_ttt"], False, False),
        ("before_quantisation", ["roundtrip", "sliding_window"], True, True),
    ],
)
def test_when_it_trains(when, stages, shipped_learned, left_learned, tmp_path, short):
    names = ("sliding_window_eval", "val_pretrain_ttt", "metrics")
    build = composed(*names, set=(f"val_pretrain_ttt.when={when}",))
    env = {"ITERATIONS": "1", "TTT_EPOCHS": "1", "TTT_LR": "0.05", "EVAL_STRIDE": "32"}
    ran = run_script(build.readable, tmp_path, DATA_DIR=str(short), **env)
    assert ran.exit_code == 0, ran.stderr
    scores = [one for one in ran.events if one["event"] == "eval"][1:]
    assert [one["stage"].rpartition("zlib_")[2].removeprefix("final_int8_") for one in scores] == (
        stages
    )
    trained, shipped, left = (weights(ran, at) for at in ("train_end", "dequantised", "final"))
    assert (shipped != pytest.approx(trained, rel=1e-3)) == shipped_learned
    assert (left != pytest.approx(trained, rel=1e-3)) == left_learned
    order = [one["event"] for one in ran.events if one["event"] in ("artifact", "adapt")]
    assert (order[0] == "adapt") == shipped_learned


@pytest.fixture(scope="module")
def on_processes(tmp_path_factory, short):
    """A run with one or two processes: losses of the first one's updates, and the last score."""

    @functools.cache
    def run(processes, choice="all_reduce"):
        settings = ("when=extra_score", f"processes={choice}")
        build = composed(
            "val_pretrain_ttt",
            "metrics",
            set=tuple(f"val_pretrain_ttt.{one}" for one in settings),
        )
        env = {"ITERATIONS": "1", "TTT_EPOCHS": "1", "TTT_LR": "0.05", "TTT_BATCH_SEQS": "8"}
        folder = tmp_path_factory.mktemp("processes")
        ran = run_script(build.readable, folder, processes=processes, DATA_DIR=str(short), **env)
        assert ran.exit_code == 0, ran.stderr
        losses = [one["loss"] for one in ran.events if one["event"] == "adapt"]
        return losses, [one for one in ran.events if one["event"] == "eval"][-1]["val_loss"]

    return run


def test_two_processes_that_train_on_all_the_text_do_what_one_does(on_processes):
    losses, score = on_processes(1)
    others, other = on_processes(2, "average_at_end")
    assert others == pytest.approx(losses, rel=1e-5)
    assert other == pytest.approx(score, rel=1e-5)


def test_the_first_process_alone_trains_on_the_first_half(on_processes):
    one, score = on_processes(1)
    two, other = on_processes(2, "rank_0_only")
    full = len(two) - 1  # the last of its batches may be short
    assert full >= 2 and len(one) - 2 * full in (0, 1, 2)
    assert two[:full] == pytest.approx(one[:full], rel=1e-5)
    assert other != pytest.approx(score, rel=1e-5)


def test_two_processes_that_average_make_half_as_many_updates(on_processes):
    one, _ = on_processes(1)
    two, _ = on_processes(2, "all_reduce")
    assert len(one) - 2 * len(two) in (-1, 0, 1)
    assert two[0] == pytest.approx(one[0], rel=1e-5)  # the first process has the same first rows
    assert two[1] != pytest.approx(one[1], rel=1e-5)  # and has heard of others


# --- compiled ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "technique, more",
    [
        ("score_first_ttt", ()),
        ("score_first_ttt", ("eval_hash_embedding",)),
        ("val_pretrain_ttt", ()),
    ],
)
def test_compiled_updates_are_one_graph_and_the_same_numbers(technique, more, monkeypatch):
    needs = ("sliding_window_eval",) if technique == "score_first_ttt" else ()
    losses, graphs = {}, {}
    for compiled in ("false", "true"):
        build = composed(*needs, technique, *more, set=(f"{technique}.compile={compiled}",))
        values = {"ttt_epochs": 2, "ttt_batch_seqs": 3, "torch_compile": "1"}
        if technique == "score_first_ttt":  # two chunks of four rows, each a batch and a short one
            values |= {"ttt_chunk_tokens": 4 * T, "eval_stride": T, "eval_batch_seqs": 3}
        script, h, model, validation = small(build, rows=8, **values)
        seen, graph = recorded(script, monkeypatch), Counter()
        with counting(graph):
            run = getattr(script, "evaluate_score_first", None) or script.train_on_validation
            run(h, script.compiled(h, model), validation)
        losses[compiled], graphs[compiled] = seen.losses, graph["GPT"]
    torch._dynamo.reset()
    assert len(losses["true"]) == len(losses["false"]) == (6 if needs == () else 4)
    assert losses["true"] == pytest.approx(losses["false"], rel=1e-4)
    assert graphs["true"] - graphs["false"] == 1


# --- of each document ----------------------------------------------------------------------------


def with_documents(monkeypatch, *documents, **values):
    """The baseline with LoRA on these documents, given by their tokens behind the BOS."""
    script, h, model, validation = small(composed("lora_ttt"), **values)
    tokens = torch.cat([torch.tensor([1, *document]) for document in documents])
    monkeypatch.setattr(script, "shard_files", lambda *_: [None])
    monkeypatch.setattr(script, "read_shard", lambda *_: tokens.to(torch.uint16))
    return script, h, model, validation


LONG = [2 + n * n % 29 for n in range(21)]
SHORT = [3, 4, 5]


def test_an_adapter_is_a_change_of_the_matrices_for_its_document_alone():
    script, h, model, _ = small(composed("lora_ttt"), ttt_lora_rank=2, tie_embeddings=False)
    torch.manual_seed(0)
    adapters = script.attach_adapters(h, model, 2)
    for one in adapters:
        one.outward.data = torch.randn_like(one.outward) * 0.1
    ids = torch.arange(2 * T).view(2, T) % 31
    adapted = model(ids, ids)
    changes = [(one.outward @ one.inward).detach() for one in adapters]  # (2, outputs, inputs)
    script.detach_adapters(model)
    plain = model(ids, ids)
    head, of_q, of_v = changes[0], changes[1:4], changes[4:]
    before = copied(model)
    for row in range(2):
        with torch.no_grad():
            model.lm_head.weight += head[row]
            for block, q, v in zip(model.blocks, of_q, of_v, strict=True):
                block.attn.c_q.weight += q[row]
                block.attn.c_v.weight += v[row]
        torch.testing.assert_close(adapted[row], model(ids, ids)[row], rtol=1e-5, atol=1e-6)
        model.load_state_dict(before)
    assert not torch.allclose(adapted, plain, rtol=1e-2)


def test_a_document_runs_from_its_bos_to_the_next():
    script = as_module(composed("lora_ttt"))
    tokens = torch.tensor([1, 7, 8, 1, 9, 1, 1, 5])
    assert script.documents_of(tokens) == [(0, 3), (3, 5), (5, 6), (6, 7)]
    # what stands before the first BOS is scored too; a BOS at the very end begins nothing
    assert script.documents_of(torch.tensor([4, 5, 1, 6, 1])) == [(0, 2), (2, 4)]


def test_every_target_is_scored_once_behind_its_own_document_only(monkeypatch):
    values = {"ttt_chunk_size": 3, "ttt_eval_seq_len": 6, "ttt_batch_size": 2, "ttt_lora_lr": 0.0}
    script, h, model, validation = with_documents(monkeypatch, LONG, SHORT, LONG[:9], **values)
    found, _ = script.evaluate_lora(h, model, validation)
    nats = []
    for document in ([1, *LONG, 1], [1, *SHORT, 1], [1, *LONG[:9]]):
        end = len(document) - 1
        for first in range(0, end, 3):
            last = min(first + 3, end)
            window = torch.tensor(document[max(0, last - 6) : last + 1])
            nll = model(window[None, :-1], window[None, 1:])[0]
            nats += nll[first - last :].tolist()
    assert len(nats) == 22 + 4 + 9
    assert found == pytest.approx(math.fsum(nats) / len(nats), rel=1e-5)


def test_the_first_chunk_is_scored_before_anything_is_learned(monkeypatch):
    values = {"ttt_chunk_size": 8, "ttt_batch_size": 2, "ttt_lora_rank": 2}
    scores = {}
    for document in (LONG[:7], LONG):  # the first is one chunk: its 7 tokens and a BOS
        for lr in (0.0, 0.5):
            given = with_documents(monkeypatch, document, SHORT, ttt_lora_lr=lr, **values)
            script, h, model, validation = given
            seen, before = recorded(script, monkeypatch), copied(model)
            scores[len(document), lr] = script.evaluate_lora(h, model, validation)[0]
            assert len(seen.losses) == (len(document) > 8) * 2
            assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
            assert all(p.requires_grad for p in model.parameters())
    assert scores[7, 0.5] == scores[7, 0.0]
    assert scores[21, 0.5] != pytest.approx(scores[21, 0.0], rel=1e-3)


def test_a_document_learns_the_same_whoever_stands_beside_it(monkeypatch):
    values = {"ttt_chunk_size": 4, "ttt_batch_size": 2, "ttt_lora_rank": 2, "ttt_lora_lr": 0.1}
    given = with_documents(monkeypatch, LONG, SHORT, LONG, SHORT, [], **values)
    script, h, model, validation = given
    tokens = script.read_shard().to(torch.int64)
    documents = script.documents_of(tokens)

    def nats(*pair):
        adapters = script.attach_adapters(h, model, 2)
        with torch.no_grad():
            for one in adapters:
                one.inward.copy_(ramp(*one.inward.shape[1:]).expand_as(one.inward))
        batch = [documents[n] for n in pair]
        sums = script.score_documents(h, model, validation, adapters, tokens, batch)
        return sums[0].item()

    both_long, both_short = nats(0, 2), nats(1, 3)
    assert nats(0, 1) == pytest.approx((both_long + both_short) / 2, rel=1e-6)
    assert nats(3, 2) == pytest.approx((both_long + both_short) / 2, rel=1e-6)


# --- hashed pairs of tokens ----------------------------------------------------------------------


def test_pairs_of_tokens_choose_the_rows_of_the_hashed_embedding():
    names = ("sliding_window_eval", "score_first_ttt", "eval_hash_embedding")
    model = small(composed(*names), hash_embed_size=1000)[2]
    ids = torch.tensor([[5, 7, 5], [7, 5, 7]])
    plain = model(ids, ids)
    model.hash_embed = torch.nn.Embedding(1000, 16)
    torch.nn.init.zeros_(model.hash_embed.weight)
    assert torch.equal(model(ids, ids), plain)
    # 5, 2039 * 5 + 7, 2039 * 7 + 5; 7, 2039 * 7 + 5, 2039 * 5 + 7; modulo 1000
    for row, places in {
        5: [(0, 0)],
        202: [(0, 1), (1, 2)],
        278: [(0, 2), (1, 1)],
        7: [(1, 0)],
    }.items():
        with torch.no_grad():
            model.hash_embed.weight[row] = 3.0
        first_changed = {tuple(one.tolist()) for one in (model(ids, ids) != plain).nonzero()}
        assert set(places) <= first_changed
        assert all(any(b == d and c <= t for d, c in places) for b, t in first_changed)
        with torch.no_grad():
            model.hash_embed.weight[row] = 0.0


def test_the_table_learns_from_scored_chunks_and_is_gone_afterwards(monkeypatch):
    names = ("sliding_window_eval", "score_first_ttt", "eval_hash_embedding")
    values = {"ttt_chunk_tokens": 2 * T, "eval_stride": T, "ttt_epochs": 1, "ttt_lr": 0.5}
    script, h, model, validation = small(composed(*names), rows=6, **values)
    model.requires_grad_(False)  # so that nothing else learns
    tables, score_windows = [], script.score_windows

    def scored(*args):
        tables.append(model.hash_embed.weight.detach().clone())
        return score_windows(*args)

    monkeypatch.setattr(script, "score_windows", scored)
    before = copied(model)
    script.evaluate_score_first(h, model, validation)
    assert [table.abs().sum().item() > 0 for table in tables] == [False, True, True]
    assert copied(model).keys() == before.keys() and model.hash_embed is None
    # the rows that changed are those of the first chunk's pairs, sequence by sequence
    ids = validation.tokens[: 2 * T].view(2, T)
    previous = torch.cat((torch.zeros(2, 1, dtype=torch.int64), ids[:, :-1]), 1)
    assert set(tables[1].abs().sum(1).nonzero().flatten().tolist()) == set(
        ((2039 * previous + ids) % 16384).flatten().tolist()
    )
