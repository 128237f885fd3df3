"""Logs as runs of a build write them, with what a test wants to be otherwise."""

from pathlib import Path

RULE = "=" * 100


def log_text(build, seed: int = 42, **changed) -> str:
    """What the small file's run logs; `changed` replaces a figure, `script` what it begins with."""
    figures = {
        "script": build.packed.decode(),
        "code": len(build.packed),
        "model": 15_800_000,
        "bpb": "1.08079352",
        "loss": "2.79180191",
        "steps": 4550,
        "ms": 588047,
        "eval_ms": 366525,
        "world": 8,
        "iterations": 20000,
        "cap": "600.000",
        "lines": "",
        **changed,
    }
    return TEXT.format(seed=seed, rule=RULE, total=figures["model"] + figures["code"], **figures)


TEXT = """{script}
{rule}
python:3.11.7 torch:2.9.1 device:cuda:0 values:frozen
{lines}model_params:17059912
world_size:{world} grad_accum_steps:1
tie_embeddings:True embed_lr:0.05 head_lr:0.0 matrix_lr:0.02 scalar_lr:0.04
train_batch_tokens:524288 train_seq_len:1024 iterations:{iterations} warmup_steps:20 \
max_wallclock_seconds:{cap}
seed:{seed}
step:0/{iterations} val_loss:6.9307 val_bpb:4.1048 train_time:0ms step_avg:0.02ms
step:200/{iterations} train_loss:2.7500 train_time:25800ms step_avg:129.00ms
step:4000/{iterations} val_loss:2.1000 val_bpb:1.2437 train_time:516000ms step_avg:129.00ms
step:{steps}/{iterations} val_loss:2.0800 val_bpb:1.2318 train_time:{ms}ms step_avg:129.24ms
stopping_early: wallclock_cap train_time:{ms}ms step:{steps}/{iterations}
peak memory allocated: 10184 MiB reserved: 10200 MiB
Serialized model: 67224983 bytes
Code size: {code} bytes
Serialized model int8+zlib: {model} bytes (raw:17178912)
Total submission size int8+zlib: {total} bytes
final_int8_zlib_roundtrip val_loss:{loss:.6} val_bpb:{bpb:.6} eval_time:{eval_ms}ms
final_int8_zlib_roundtrip_exact val_loss:{loss} val_bpb:{bpb}
"""


def write_log(folder: Path, build, seed: int = 42, name: str = "", **changed) -> Path:
    path = folder / (name or f"train_seed{seed}.txt")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(log_text(build, seed, **changed), encoding="utf-8", newline="")
    return path
