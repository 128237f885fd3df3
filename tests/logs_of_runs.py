"""Logs as our scripts print them, with made-up figures, for tests of what reads them."""

import random

__all__ = ["log_of"]

LINES = """\
python:3.12.1 torch:2.9.1+cu128 device:cuda:0 values:frozen
model_params:17059912
world_size:8 grad_accum_steps:1
seed:{seed}
warmup_step:1/20
step:0/20000 val_loss:6.9357 val_bpb:4.1077 train_time:0ms step_avg:0.02ms
step:1/20000 train_loss:6.9370 train_time:32ms step_avg:32.10ms
step:1000/20000 val_loss:2.3{a:03} val_bpb:1.3{b:03} train_time:43{c:03}ms step_avg:43.{d:02}ms
step:{steps}/20000 val_loss:2.0{e:03} val_bpb:1.2{f:03} train_time:{time}ms step_avg:43.54ms
stopping_early: wallclock_cap train_time:{time}ms step:{steps}/20000
peak memory allocated: 10184 MiB reserved: 10200 MiB
Serialized model: 67224983 bytes
Code size: {code} bytes
Serialized model int8+zlib: {model} bytes (raw:17178912)
Total submission size int8+zlib: {total} bytes
final_int8_zlib_roundtrip val_loss:2.0{g:03} val_bpb:1.2{h:03} eval_time:{took}ms
final_int8_zlib_roundtrip_exact val_loss:2.0{g:03}{i:04} val_bpb:1.2{h:03}{j:04}
"""


def log_of(seed: int, code: int, **values: int) -> str:
    """The log of a run of one seed with a script of so many bytes; the same for the same seed."""
    dice = random.Random(seed)
    made = {name: dice.randrange(100, 400) for name in "abcefg"} | {"d": dice.randrange(10, 99)}
    made |= {"h": dice.randrange(230, 240), "i": dice.randrange(1000, 9999)}
    made |= {"j": dice.randrange(1000, 9999), "steps": dice.randrange(13_600, 13_790)}
    made |= {"time": dice.randrange(599_000, 599_999), "took": dice.randrange(1100, 1999)}
    made |= {"model": dice.randrange(15_800_000, 15_830_000)} | values
    made["total"] = made["model"] + code
    return LINES.format(seed=seed, code=code, **made)
