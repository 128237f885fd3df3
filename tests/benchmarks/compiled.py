"""What a composed script costs at run time: graphs, compilations, operations, milliseconds.

    python tests/benchmarks/compiled.py         # prints the tables of README.md beside this file

Everything is narrow and on a CPU. Graphs, compilations and operations do not depend on the width;
milliseconds do, and only compare. `test_compiled.py` asserts the rest.
"""

import contextlib
import functools
import random
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
import torch._inductor.metrics
from benchmarks import hand_written
from conftest import as_module, hyperparameters
from torch.utils._python_dispatch import TorchDispatchMode

import pgolf_compose
from pgolf_compose.recipe import bundled_recipes

HAND_WRITTEN = {"baseline": hand_written.Baseline, "2026-04-05": hand_written.Loop45}
SMALL = {
    "model_dim": 64,
    "num_heads": 4,
    "num_kv_heads": 2,
    "vocab_size": 128,
    "train_seq_len": 32,
    "train_batch_tokens": 8 * 2 * 32,
    "rope_dims": 8,
}
SHALLOW = {"num_layers": 3, "loop_start": 1, "loop_end": 1, "parallel_residual_start": 2}
BATCH = 3  # sequences that an evaluation scores at a time
FULL, SHORT = 3, 5  # rows of validation: all batches full, the last of each evaluation short
STEPS = 4
TIMED = {"model_dim": 128, "train_seq_len": 128, "vocab_size": 512}


@functools.cache
def build(recipe: str):
    """The recipe whose name starts so, composed."""
    [name] = [name for name in bundled_recipes() if name.startswith(recipe)]
    return pgolf_compose.compose(name)


def compose(recipe: str, **settings) -> tuple:
    """Its script as a module of the caller's own, and its hyperparameters, narrow.

    Settings of techniques that the recipe does without are passed over.
    """
    module = as_module(build(recipe))
    wanted = {**SMALL, "device": torch.device("cpu"), **settings}
    known = {name: wanted[name] for name in wanted if hasattr(module.Hyperparameters, name)}
    return module, hyperparameters(module, **known)


def batch(h, rows: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(h.vocab_size, (rows, h.train_seq_len + 1))
    return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()


def variants(model) -> list[bool]:
    """The model before and after its loops begin; without loops there is one."""
    return [False, True] if hasattr(model, "looping") else [False]


# Graphs


def graphs(recipe: str) -> list[tuple[bool, int, int]]:
    """Of each variant: looping or not, its graphs and its graph breaks."""
    module, h = compose(recipe, **SHALLOW)
    model, found = module.make_model(h), []
    for looping in variants(model):
        model.looping = looping
        torch._dynamo.reset()
        told = torch._dynamo.explain(model)(*batch(h))
        found.append((looping, told.graph_count, told.graph_break_count))
    return found


# Compilations


class Stub:
    """Stands for the data: what is in a batch does not matter to a compiler."""

    def __init__(self, h, rows: int = 0):
        self.h = h
        self.tokens = torch.randint(h.vocab_size, (rows * h.train_seq_len + 1,))

    def next_batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        return batch(self.h)

    def byte_counts(self, previous, targets) -> torch.Tensor:
        return torch.ones_like(targets)


@contextlib.contextmanager
def counting(seen: Counter):
    """torch.compile traces as ever and counts each graph under its function's name."""
    compile = torch.compile

    def counted(function, **options):
        name = getattr(function, "__name__", type(function).__name__)

        def backend(graph, inputs):
            seen[name] += 1
            return graph

        return compile(function, backend=backend, **options)

    torch._dynamo.reset()
    with mock.patch.object(torch, "compile", counted):
        yield


def run(recipe: str, rows: int) -> SimpleNamespace:
    """A whole run, from warm-up to the last evaluation, on so many rows of validation.

    `.stages` is how many forms of the model the run goes through: each variant trains and is
    validated, and each further evaluation is one. `.log` has, with each line of the run's log,
    the graphs that were compiled for it, by function; `.graphs` counts all of the model.
    """
    T = SMALL["train_seq_len"]
    module, h = compose(
        recipe,
        **SHALLOW,
        torch_compile="1",
        iterations=STEPS,
        warmup_steps=2,
        max_wallclock_seconds=0,
        val_loss_every=2,
        train_log_every=1,
        val_batch_size=BATCH * 8 * T,
        eval_batch_seqs=BATCH,
        eval_stride=T // 4,  # so that FULL and SHORT hold for windows as for rows
        ttt_chunk_tokens=4 * T,
        ttt_batch_seqs=BATCH,
        ttt_epochs=1,
    )
    seen, told, log, evaluations = Counter(), Counter(), [], []

    def remember(h, line: str) -> None:
        log.append((line, seen - told))
        told.update(log[-1][1])

    def score(h, label, evaluation, *rest) -> None:
        evaluations.append(evaluation)
        scored(h, label, evaluation, *rest)

    module.log, module.Loader = remember, Stub
    scored, module.score = module.score, score
    with counting(seen):
        torch.manual_seed(0)
        model, validation = module.make_model(h), Stub(h, rows)
        forward = module.compiled(h, model)
        module.train(h, model, forward, validation)
        module.evaluate_stages(h, model, forward, validation)
    others = set(evaluations) - {module.evaluate}
    stages = 2 * len(variants(model)) + len(others)
    return SimpleNamespace(stages=stages, log=log, graphs=seen["GPT"])


# Operations


def pair(recipe: str, precision: str = "fp32", **sizes) -> tuple:
    """The composed model and the one written by hand, as deep, with one set of weights; a batch."""
    module, h = compose(recipe, precision=precision, **sizes)
    torch.manual_seed(0)
    composed, written = module.make_model(h), HAND_WRITTEN[recipe](h)
    with torch.no_grad():
        for p in composed.parameters():
            p.add_(0.2 * torch.randn_like(p))  # nothing stays at zero, where errors do not show
    if precision == "bf16":
        written.tok_emb.bfloat16()
    written.load_state_dict(composed.state_dict(), strict=True)
    return composed, written, batch(h)


def loss_and_gradients(model, params: dict, ids, targets) -> tuple:
    """What a training step computes of a batch."""
    bf16 = model.tok_emb.weight.dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = torch.func.functional_call(model, params, (ids, targets)).mean()
    return loss, dict(zip(params, torch.autograd.grad(loss, list(params.values())), strict=True))


class Called(TorchDispatchMode):
    """Every ATen operation that reaches a backend: what `make_fx` lists, without its delay."""

    def __init__(self):
        super().__init__()
        self.operations: list[torch._ops.OpOverload] = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.operations.append(operation)
        return operation(*args, **(kwargs or {}))


def operations(model, ids, targets) -> tuple[Counter, int]:
    """Operations of a forward and a backward by name, and how many are no mere views."""
    with Called() as called:
        loss_and_gradients(model, dict(model.named_parameters()), ids, targets)
    names = Counter(map(str, called.operations))
    return names, sum(not one.is_view for one in called.operations)


def compared(recipe: str, precision: str) -> list[tuple]:
    """Of each variant: looping or not, the operations of the composed model, of the other."""
    composed, written, tokens = pair(recipe, precision)
    found = []
    for looping in variants(composed):
        composed.looping = written.looping = looping
        found.append((looping, operations(composed, *tokens), operations(written, *tokens)))
    return found


# Time


def milliseconds(models: list, tokens: tuple, tries: int) -> list[list[float]]:
    """Of a forward and a backward of each model, shuffled: a busy machine slows all alike."""
    times: list[list[float]] = [[] for _ in models]
    for attempt in range(tries + 2):
        for n in random.sample(range(len(models)), len(models)):
            started = time.perf_counter()
            models[n](*tokens).mean().backward()
            if attempt > 1:
                times[n].append(1000 * (time.perf_counter() - started))
    return times


def timed(recipe: str, looping: bool, tries: int = 40) -> list[tuple]:
    """Of both models, eager and compiled: name, median and least milliseconds, loops of C++."""
    composed, written, tokens = pair(recipe, **SHALLOW, **TIMED)
    composed.looping = written.looping = looping
    torch._dynamo.reset()
    models, loops = [composed, written], ["", ""]
    for model in (composed, written):
        torch._inductor.metrics.reset()
        models.append(torch.compile(model, dynamic=False, fullgraph=True))
        models[-1](*tokens).mean().backward()
        loops.append(str(torch._inductor.metrics.generated_kernel_count))
    names = ["composed, eager", "by hand, eager", "composed, compiled", "by hand, compiled"]
    times = milliseconds(models, tokens, tries)
    return [
        (name, statistics.median(spent), min(spent), count)
        for name, spent, count in zip(names, times, loops, strict=True)
    ]


# Tables


def named(recipe: str, looping: bool) -> str:
    return f"{recipe}, looping" if looping else recipe


def print_graphs() -> None:
    print("| recipe | graphs | graph breaks |\n|---|--:|--:|")
    for recipe in HAND_WRITTEN:
        for looping, count, breaks in graphs(recipe):
            print(f"| {named(recipe, looping)} | {count} | {breaks} |")


def print_compilations() -> None:
    print("\nGraphs of the model compiled by a whole run:\n")
    print("| recipe | stages | warm-up | training | validation and scores | with a short batch |")
    print("|---|--:|--:|--:|--:|--:|")
    for recipe in (*HAND_WRITTEN, "2026-04-09_SP8192"):
        done = run(recipe, FULL)
        warm_up = sum(new["GPT"] for line, new in done.log if "warmup_step" in line)
        training = sum(new["GPT"] for line, new in done.log if "train_loss" in line)
        rest = done.graphs - warm_up - training
        try:
            short = run(recipe, SHORT).graphs - warm_up - training
        except torch._dynamo.exc.FailOnRecompileLimitHit:
            short = "stops at torch's limit"
        print(f"| {recipe} | {done.stages} | {warm_up} | {training} | {rest} | {short} |")


def print_operations() -> None:
    print("\nATen operations of a forward and a backward at the recipe's own depth:\n")
    print("| recipe | precision | composed | no views | by hand | no views |")
    print("|---|---|--:|--:|--:|--:|")
    for recipe in HAND_WRITTEN:
        for precision in ("fp32", "bf16"):
            for looping, (ours, ours_real), (theirs, theirs_real) in compared(recipe, precision):
                print(
                    f"| {named(recipe, looping)} | {precision} | {ours.total():,} | "
                    f"{ours_real:,} | {theirs.total():,} | {theirs_real:,} |"
                )


def print_times() -> None:
    print(
        f"\nA forward and a backward of 2 x {TIMED['train_seq_len']} tokens in float32, "
        f"{SHALLOW['num_layers']} layers of width {TIMED['model_dim']}:\n"
    )
    print("| recipe | model | median | least | loops of C++ |\n|---|---|--:|--:|--:|")
    for recipe in HAND_WRITTEN:
        for name, median, least, loops in timed(recipe, recipe != "baseline"):
            row = f"{median:.1f} ms | {least:.1f} ms | {loops} |"
            print(f"| {named(recipe, recipe != 'baseline')} | {name} | {row}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, CPU, one thread\n")
    print_graphs()
    print_compilations()
    print_operations()
    print_times()
