"""Logs as people have them: every generation's lines, what surrounds them, and what cut them off."""

import random
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import ROOT, SHARED

from pgolf_compose.build import compose
from pgolf_compose.errors import ComposeError
from pgolf_compose.logs import find_logs, read_log
from pgolf_compose.logs.text import LONGEST, lines_of
from pgolf_compose.logs.words import kind_of

HEADER = """\
logs/run.txt
model_params:17059912
world_size:8 grad_accum_steps:1
train_batch_tokens:524288 train_seq_len:1024 iterations:20000 warmup_steps:20
seed:42
warmup_step:20/20
"""
TRAINING = """\
step:0/20000 val_loss:6.9357 val_bpb:4.1077 train_time:0ms step_avg:0.01ms
step:1/20000 train_loss:6.9370 train_time:50ms step_avg:50.00ms
step:8120/20000 train_loss:2.1060 train_time:353631ms step_avg:43.55ms
"""
TRAINED = """\
step:13780/20000 val_loss:2.0606 val_bpb:1.2172 train_time:600038ms step_avg:43.54ms
stopping_early: wallclock_cap train_time:600038ms step:13780/20000
peak memory allocated: 10184 MiB reserved: 10200 MiB
Serialized model: 67224983 bytes
Code size: 47642 bytes
Total submission size: 67272625 bytes
Serialized model int8+zlib: 15815847 bytes (payload:17178912 raw_torch:17224025 payload_ratio:3.91x)
Total submission size int8+zlib: 15863489 bytes
"""
SCORED = """\
final_int8_zlib_roundtrip val_loss:2.0727 val_bpb:1.2244 eval_time:1401ms
final_int8_zlib_roundtrip_exact val_loss:2.07269931 val_bpb:1.22436570
"""
WHOLE = HEADER + TRAINING + TRAINED + SCORED
RULE = "=" * 100 + "\n"


@pytest.fixture
def log(tmp_path):
    """The log of a text or of bytes."""

    def read(text: str | bytes, name: str = "train.log"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_log(path)

    return read


def told(log) -> tuple:
    return log.score and log.score.name, log.score and log.score.text


BASE = ("final_int8_zlib_roundtrip_exact", "1.22436570")


def test_a_whole_log(log):
    found = log(WHOLE)
    assert (found.val_bpb, found.val_loss) == (1.22436570, 2.07269931)
    assert (found.metric, found.score.line, found.score.digits) == (BASE[0], 19, 8)
    assert (found.seed, found.seed_from, found.world_size) == (42, "printed", 8)
    assert (found.steps, found.total_steps, found.train_ms) == (13780, 20000, 600038)
    assert (found.bytes_model, found.bytes_code) == (15815847, 47642)
    assert found.bytes_total == 15863489
    assert found.eval_seconds == 1.401
    assert (found.complete, found.reason, found.runs) == (True, "", 1)
    assert found.hyperparameters["train_seq_len"] == "1024"
    assert [(s.name, s.final) for s in found.scores] == [
        ("step", False),
        ("step", False),
        ("final_int8_zlib_roundtrip", True),
        ("final_int8_zlib_roundtrip_exact", True),
    ]
    assert [p.step for p in found.points] == [0, 1, 8120, 13780]
    assert found.points[2].train_loss == 2.106
    assert (found.points[3].val_loss, found.points[3].val_bpb) == (2.0606, 1.2172)


# after WHOLE, what comes last of the artifact is the submission's
LAST = [
    ("final_int4_lzma_roundtrip_exact val_loss:2.01 val_bpb:1.08123456", "1.08123456"),
    ("slot_exact val_loss:2.01 val_bpb:1.0812", "1.0812"),
    ("ngram_final val_loss=2.01 val_bpb=1.0812 elapsed=12.5s", "1.0812"),
    ("eval: bpb 1.0812", "1.0812"),
    ("Final BPB: 1.0812", "1.0812"),
    ("final score: 1.0812 bpb", "1.0812"),
    ("[slot] done, val_bpb = 1.0812 (val_loss = 2.01)", "1.0812"),
    ("post_slot | val_loss 2.01 | val_bpb 1.0812 | time 12s", "1.0812"),
    ("quantized_ttt_ngram: loss=2.01 bpb=1.0812", "1.0812"),
    ("final_val_bpb=1.0812", "1.0812"),
    ("xyzzy_exact val_bpb:1.0812", "1.0812"),
    ("final_sliding_window_eval_exact stride:64 val_loss:1.96 val_bpb:1.16301431", "1.16301431"),
    ("final_int8_zlib_roundtrip_exact sliding val_loss:2.02 sliding val_bpb:1.1971", "1.1971"),
    ("final_INT7_zlib_roundtrip val_loss:2.0784 val_bpb:1.2353", "1.2353"),
    ("final_int8_zlib_roundtrip val_loss:2.9636 val_bpb:1.1473 eval_mode:online_ttt", "1.1473"),
    ("ttt_sliding:done val_loss=1.889768 val_bpb=1.119230 elapsed=409.8s", "1.119230"),
    ("quantized_ttt_phased val_loss:2.33 val_bpb:1.0641 eval_time:399334ms", "1.0641"),
    ("sliding window bits per byte: 1.0812", "1.0812"),
    ("{'name': 'final', 'val_loss': 2.01, 'val_bpb': 1.0812}", "1.0812"),
    ("Final sliding-window BPB (stride=64): 1.08123", "1.08123"),
    ("submission score (val_bpb): 1.0812", "1.0812"),
    ("Submission val_bpb (TTT, stride 64) => 1.0812", "1.0812"),
    ('{"final": {"val_loss": 2.01, "val_bpb": 1.0812}}', "1.0812"),
    ("{'ttt_bpb': np.float64(1.0812), 'val_loss': np.float64(2.01)}", "1.0812"),
    ("final_val_bpb: tensor(1.0812, device='cuda:0')", "1.0812"),
    ("TTT: val_bpb 1.2244 -> 1.0812", "1.0812"),
    ("final_ttt_lora [50000/50000 docs] val_loss:2.01 val_bpb:1.0812", "1.0812"),
    ("final_int6 val_loss:2.01 val_bpb:1.0812 stride:64/2048", "1.0812"),
    ("ttt: val_bpb 1.0812 (base val_bpb 1.0800)", "1.0812"),
    ("fp32 bpb 1.08 | int6 bpb 1.0812 | delta 0.0012", "1.0812"),
    ("sliding_bpb=1.10 ttt_bpb=1.0812", "1.0812"),
    ("seed 42 final: val_bpb 1.0812", "1.0812"),
    # not of the artifact, not of the whole split, or no score
    ("seed 7 final: val_bpb 1.0812", "1.22436570"),
    ("seed 42: val_bpb 1.01 / seed 7: val_bpb 1.02 / seed 9: val_bpb 1.03", "1.22436570"),
    ("wandb:   val_bpb 1.0812", "1.22436570"),
    ("ngram_only_bpb:1.0812 (diagnostic)", "1.22436570"),
    ("final_ttt (first 100 docs) val_bpb:1.01", "1.22436570"),
    ("final_ttt val_bpb:1.01 docs:100/50000", "1.22436570"),
    ("ttt: 100%|####| 1893/1893 [06:49<00:00, bpb=1.0812]", "1.22436570"),
    ("first half val_bpb 1.20, second half val_bpb 1.25", "1.22436570"),
    ("doc 1: bpb 1.33", "1.22436570"),
    ("Need < 1.0812 bpb for record", "1.22436570"),
    ("quantization gap: 1.2172 -> 1.2244 bpb (+0.0072)", "1.22436570"),
    ("bpb_per_param: 1.0812", "1.22436570"),
    ("final_int6 val_bpb: 1,0812", "1.22436570"),
    ("DIAGNOSTIC post_ema val_loss:1.9222 val_bpb:1.1385 eval_time:1960ms", "1.22436570"),
    ("diagnostic quantized val_loss:2.35 val_bpb:1.0774 eval_time:10152ms", "1.22436570"),
    ("pre-quantization post-ema val_loss:2.80 val_bpb:1.0877 eval_time:7438ms", "1.22436570"),
    ("pre_quant val_bpb:1.01", "1.22436570"),
    ("best_val_bpb:1.01", "1.22436570"),
    ("ttt_gain_bpb:0.0124", "1.22436570"),
    ("final_x val_loss:2.01 val_bpb:1.081020000/20000 val_loss: 2.1", "1.22436570"),
    # the same once more
    ("final_int6_roundtrip_exact val_loss:2.07269931 val_bpb:1.22436570", "1.22436570"),
    ("---\nval_bpb:          1.22436570", "1.22436570"),
    ("---\nval_bpb:          1.1", "1.22436570"),
]


@pytest.mark.parametrize(("line", "counts"), LAST)
def test_the_last_evaluation_of_the_artifact_counts(log, line, counts):
    assert log(WHOLE + line + "\n").score.text == counts


def test_a_later_score_counts_though_it_is_worse_and_the_better_is_told(log):
    found = log(WHOLE + "final_int6_ttt val_loss:3.07 val_bpb:1.33603200 eval_time:405410ms\n")
    assert told(found) == ("final_int6_ttt", "1.33603200")
    assert (found.better.name, found.better.text) == BASE
    assert found.eval_seconds == pytest.approx(1.401 + 405.41)


def test_one_score_under_two_names_is_one_evaluation(log):
    found = log(
        HEADER + TRAINING + TRAINED + "final_int6_sliding_window val_loss:1.8958 val_bpb:1.1228"
        " stride:64 eval_time:73133ms\n"
        "final_int6_sliding_window_exact val_loss:1.89576235 val_bpb:1.12278022\n"
        "final_int8_zlib_roundtrip_exact val_loss:1.89576235 val_bpb:1.12278022\n"
        "---\nval_bpb:          1.12278022\n"
    )
    assert told(found) == ("final_int6_sliding_window_exact", "1.12278022")
    assert [s.repeats for s in found.scores[2:]] == [None, 18, 18, None]
    assert (len(found.evaluations), found.eval_seconds) == (1, 73.133)


def test_ranks_that_print_in_turn_print_one_evaluation(log):
    found = log(HEADER + TRAINING + TRAINED + SCORED * 8)
    assert [s.line for s in found.scores if s.final] == [18, 19]
    eight = log("".join(8 * (line + "\n") for line in WHOLE.splitlines()))
    assert [s.text for s in eight.scores] == [s.text for s in log(WHOLE).scores]
    assert eight.points == log(WHOLE).points
    assert (told(found), found.eval_seconds) == (BASE, 1.401)


def test_test_time_training_told_three_times_is_one_evaluation(log):
    found = log(
        WHOLE + "ttt_sliding:done val_loss=1.889768 val_bpb=1.119230 elapsed=409.8s\n"
        "legal_ttt val_loss:1.8898 val_bpb:1.1192 eval_time:410268ms\n"
        "legal_ttt_exact val_loss:1.88976776 val_bpb:1.11922988\n"
    )
    assert told(found) == ("legal_ttt_exact", "1.11922988")
    assert found.eval_seconds == pytest.approx(1.401 + 410.268)


def test_a_value_that_no_evaluation_printed_is_told(log):
    found = log(WHOLE + "---\nval_bpb:   1.10000000\n")
    assert told(found) == BASE
    assert found.notes == ("line 21 says 1.10000000, which no evaluation printed",)


def test_a_bare_value_counts_where_nothing_else_is_there(log):
    assert log(HEADER + TRAINING + TRAINED + "val_bpb: 1.2244\n").score.text == "1.2244"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("final_int3_zstd_roundtrip", "artifact"),
        ("quantized_ttt_phased", "artifact"),
        ("diagnostic quantized", "diagnostic"),
        ("pre-quantization post-ema", "diagnostic"),
        ("final_ema_int6", "artifact"),
        ("DIAGNOSTIC post_ema", "diagnostic"),
        ("swa", "diagnostic"),
        ("val_bpb", "plain"),
        ("sliding_eval running_bpb", "progress"),
        ("delta_bpb", "derived"),
        ("entropy_mix", "unknown"),
    ],
)
def test_what_a_name_tells(name, kind):
    assert kind_of(name) == kind


# -- what surrounds the lines -------------------------------------------------------------------


def each(line: str, text: str = WHOLE) -> str:
    return "".join(line.format(one) + "\n" for one in text.splitlines())


SURROUNDED = {
    "windows": WHOLE.replace("\n", "\r\n"),
    "powershell": ("\ufeff" + WHOLE).encode("utf-16-le"),
    "utf-16 without a mark": WHOLE.encode("utf-16-le"),
    "utf-8 with a mark": ("\ufeff" + WHOLE).encode(),
    "latin-1": WHOLE.encode() + "Zeit: 3 Stunden für 1 Lauf\n".encode("latin-1"),
    "a power cut": WHOLE.encode() + bytes(5000),
    "no end of line": WHOLE[:-1],
    "colours": WHOLE.replace("final", "\x1b[32mfinal\x1b[0m").replace(
        "val_bpb:", "val_bpb:\x1b[1m"
    ),
    "logging": each("2026-04-01 12:00:00,123 - INFO - {}"),
    "rich": each("[2026-04-01T12:00:00.123Z] [rank0]: {}"),
    "torchrun": each("[rank0]: {}"),
    "torchrun --log": each("[default0]:{}"),
    "srun -l": each("0: {}"),
    "docker": each('{{"log": "{}\\n", "stream": "stdout", "time": "2026-04-01T12:00:00Z"}}'),
    "quoted": each("> {}"),
    "grep -n": "".join(f"{n}:{line}\n" for n, line in enumerate(WHOLE.splitlines(), 1)),
    "cat -n": "".join(f"{n:6}\t{line}\n" for n, line in enumerate(WHOLE.splitlines(), 1)),
    "nodes": each("node0: {}"),
    "nodes and ranks": each("[node-0:rank0] {}"),
    "kubernetes": each("pod-1 trainer 2026-04-01T12:00:00.123456789Z stdout F {}"),
    "eight ranks": "".join(8 * (line + "\n") for line in WHOLE.splitlines()),
    "glued": WHOLE.replace("bytes\nfinal", "bytes final").replace("ms\nfinal", "msfinal"),
    "a bar": HEADER
    + TRAINING
    + TRAINED
    + "".join(f"\reval: {n}%|##| {n}/100 [00:10<00:00, bpb=1.3{n}]" for n in range(100))
    + "\r"
    + SCORED,
    "noise": WHOLE.replace(
        "model_params",
        "W0320 10:00:00.1 7 torch/distributed/run.py:792] *****************************************\n"
        "Setting OMP_NUM_THREADS environment variable for each process to be 1 in default\n"
        "[rank3]:[W318 14:38:18.8 Utils.hpp:112] Warning: NCCL_ASYNC_ERROR_HANDLING is deprecated\n"
        "model_params",
    )
    + "[rank0]:[W419 09:23:58 ProcessGroupNCCL.cpp:1496] Warning: destroy_process_group() was not"
    " called\n",
}


@pytest.mark.parametrize("name", SURROUNDED)
def test_what_surrounds_a_line_changes_nothing(log, name):
    found = log(SURROUNDED[name])
    assert told(found) == BASE
    assert (found.seed, found.steps, found.train_ms) == (42, 13780, 600038)
    assert found.bytes_total == 15863489
    assert (found.complete, found.reason) == (True, "")


DUMP = '''\
"""A script that logs

final_int8_zlib_roundtrip_exact val_loss:1.00000000 val_bpb:0.50000000
step:20000/20000 train_loss:0.1 train_time:1ms
seed:7
{rule}Total submission size int8+zlib: 5 bytes
Traceback (most recent call last):
RuntimeError: an example
"""
import os
SEED = 7
# quantized_ttt val_loss:1.0 val_bpb:0.4
def main():
    log(f"final_int8_zlib_roundtrip val_loss:{{x:.4f}} val_bpb:{{y:.4f}}")
    """final_x val_loss:1.0 val_bpb:0.3"""
    log("final_y val_loss:1.0 val_bpb:0.2")
    log(f"{{h["x"]}} slot_exact val_bpb:0.1")
if __name__ == "__main__":
    main()
'''


@pytest.mark.parametrize(
    "text",
    [
        DUMP.format(rule=RULE) + RULE + WHOLE,
        DUMP.format(rule="") + RULE + "Running Python 3.12\nRunning PyTorch 2.9\n" + WHOLE,
        DUMP.format(rule=RULE) + WHOLE,
        "Hyperparameters:\n  seed: 42\n" + RULE + DUMP.format(rule="") + RULE + WHOLE,
        each("2026-04-01 12:00:00 {}", DUMP.format(rule=RULE) + RULE + WHOLE),
    ],
    ids=["rule in a string", "rule", "no rule", "within", "with timestamps"],
)
def test_a_script_that_the_log_prints_is_not_read(log, text):
    found = log(text)
    assert told(found) == BASE
    assert (found.seed, found.steps, found.bytes_total) == (42, 13780, 15863489)
    assert not {Decimal("0.50000000"), Decimal("0.4")} & {f.value for f in found.figures()}


def test_a_rule_of_comments_within_a_run_begins_no_script(log):
    found = log(HEADER + TRAINING + "# ========== export ==========\n" + TRAINED + SCORED)
    assert (told(found), found.runs, len(found.points)) == (BASE, 1, 4)
    comments = "# quantized_ttt val_loss:1.0 val_bpb:0.4\n#\n\nimport os\n"
    assert told(log(comments + RULE + WHOLE)) == BASE
    found = log("# a note of the author\n" + WHOLE.replace("logs/run.txt\n", ""))
    assert (told(found), found.seed, found.world_size) == (BASE, 42, 8)


def test_a_script_behind_a_run_is_not_of_another_run(log):
    for text in (WHOLE + DUMP.format(rule=RULE), WHOLE + RULE + DUMP.format(rule="") + RULE):
        found = log(text)
        assert (told(found), found.seed, found.runs, found.complete) == (BASE, 42, 1, True)
    again = log(WHOLE + DUMP.format(rule=RULE) + RULE + HEADER)
    assert (again.score, again.runs) == (None, 2)


def test_our_own_script_at_the_top_is_not_read(log, composed_text):
    example = '"""\nfinal_int8_zlib_roundtrip_exact val_loss:1.0 val_bpb:0.50000000\n'
    for script in (composed_text, composed_text.replace('"""', example, 1)):
        found = log(script + RULE + WHOLE)
        assert told(found) == BASE
        assert (found.steps, len(found.points), found.runs) == (13780, 4, 1)


@pytest.fixture(scope="session")
def composed_text():
    return compose("baseline").readable.decode()


def test_a_log_cut_off_within_the_script_has_nothing(log):
    found = log(DUMP.format(rule=RULE)[:300])
    assert (found.score, found.steps, found.bytes_total) == (None, None, None)
    assert found.reason == "ends within the script that it prints"


def test_of_several_runs_in_a_file_the_last_is_read_and_the_others_told(log):
    other = WHOLE.replace("seed:42", "seed:7").replace("1.22436570", "1.19436570")
    found = log(other + WHOLE)
    assert (told(found), found.seed, found.runs) == (BASE, 42, 2)
    assert found.notes == ("run 1 of the file (from line 1): its score is 1.19436570",)
    longer = log(
        other.replace("seed:7", "seed:8") + "step:1/60000 train_loss:6.9\n" + TRAINED + SCORED
    )
    assert (longer.seed, longer.runs, [p.step for p in longer.points]) == (None, 2, [1, 13780])
    cut = log(WHOLE + HEADER + TRAINING)
    assert cut.score is None and not cut.complete
    assert cut.reason == "ends at step 8,120 of 20,000 (41%), no final score"


# -- cut off, crashed ---------------------------------------------------------------------------

OOM = (
    "[rank3]: Traceback (most recent call last):\n"
    '[rank3]:   File "/x/train_gpt.py", line 10, in <module>\n'
    "[rank3]:     main()\n"
    "[rank3]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n"
    "torch.distributed.elastic.multiprocessing.errors.ChildFailedError:\n"
)
ENDS = [
    ("", "the file is empty"),
    ("\n \n", "no step of training and no score in it"),
    (HEADER, "ends before the first step of training"),
    (HEADER + TRAINING, "ends at step 8,120 of 20,000 (41%), no final score"),
    (
        HEADER + TRAINING + OOM,
        "ends at step 8,120 of 20,000 (41%), no final score: out of GPU memory "
        "(torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.)",
    ),
    (
        HEADER + TRAINING + "[rank2]:[E320 10:00:00 ProcessGroupNCCL.cpp:616] [Rank 2] Watchdog "
        "caught collective operation timeout: WorkNCCL(SeqNum=1)\n",
        "ends at step 8,120 of 20,000 (41%), no final score: NCCL failed or timed out",
    ),
    (
        HEADER + TRAINING + "W0320 10:00:00 7 torch/distributed/elastic/agent/server/api.py:719] "
        "Received Signals.SIGTERM death signal, shutting down workers\nKilled\n",
        "ends at step 8,120 of 20,000 (41%), no final score: "
        "killed (SIGKILL: out of memory, or by hand)",
    ),
    (
        HEADER + "Traceback (most recent call last):\n  File x\n"
        "triton.runtime.errors.OutOfResources: out of resource: shared memory\n",
        "ends before the first step of training: "
        "triton.runtime.errors.OutOfResources: out of resource: shared memory",
    ),
    (
        HEADER + TRAINING + "W0320 10:00:00 7 torch/distributed/elastic/agent/server/api.py:719] "
        "Received Signals.SIGINT death signal, shutting down workers\n",
        "ends at step 8,120 of 20,000 (41%), no final score: interrupted by hand",
    ),
    (
        HEADER + TRAINING + "E0320 10:00:00 7 torch/distributed/elastic/multiprocessing/api.py:869]"
        " failed (exitcode: -9) local_rank: 0 (pid: 12) of binary: python\n",
        "ends at step 8,120 of 20,000 (41%), no final score: "
        "killed (SIGKILL: out of memory, or by hand)",
    ),
    (
        HEADER + TRAINING + "client_loop: send disconnect: Broken pipe\n",
        "ends at step 8,120 of 20,000 (41%), no final score: the connection was lost",
    ),
    (HEADER + TRAINING + TRAINED, "training ended, but the artifact was never scored"),
    (
        WHOLE + "ttt_sliding:start chunks=1893\n  ttt_chunk [101/1893] bpb=1.11 time=20s\n",
        f"ends within ttt_chunk 101 of 1,893; the last whole score is {BASE[0]}",
    ),
    (
        WHOLE + "beginning TTT eval timer\n",
        f"ends within ttt; the last whole score is {BASE[0]}",
    ),
    (
        WHOLE + "Traceback (most recent call last):\n  File x\nValueError: no such chunk\n",
        f"failed after {BASE[0]}: ValueError: no such chunk",
    ),
    (
        "Hyperparameters:\n  ttt_enabled: True\n" + TRAINING + TRAINED + SCORED,
        "ttt_enabled is True, but no score of it was printed",
    ),
    (SCORED, "no step of training in it, only scores"),
    (WHOLE + "final_x val_loss:nan val_bpb:nan\n", "the last score, final_x, is nan"),
]


@pytest.mark.parametrize(("text", "reason"), ENDS)
def test_how_far_a_run_came_and_why_it_ended(log, text, reason):
    found = log(text)
    assert (found.complete, found.reason) == (False, reason)


def test_a_score_whose_last_digits_may_lack_does_not_count(log):
    found = log(WHOLE[:-4])
    assert told(found) == ("final_int8_zlib_roundtrip", "1.2244")
    assert found.notes == ("line 19 is cut off within a score",)
    assert not found.complete


def test_a_log_cut_at_any_place_never_gives_another_score(log):
    later = "quantized_ttt val_loss:2.01234567 val_bpb:1.08123456 eval_time:1ms\n"
    text = HEADER + TRAINED + SCORED + "ttt:start chunks=3\n" + later
    known = {None, "1.2244", "1.22436570", "1.08123456"}
    for end in range(len(HEADER), len(text) + 1):
        found = log(text[:end])
        assert (found.score and found.score.text) in known, text[:end][-40:]


def test_steps_at_test_time_are_not_of_training(log):
    later = "step:1/50 train_loss:2.1 train_time:5ms\nstep:50/50 train_loss:2.0 train_time:500ms\n"
    found = log(WHOLE + later + "ttt_final val_loss:2 val_bpb:1.2\n")
    assert (found.steps, found.train_ms, found.metric) == (13780, 600038, "ttt_final")
    assert log(WHOLE + later).reason.startswith("ends within later training at step 50")


@pytest.mark.parametrize(
    "line",
    [
        "step:9000/20000 val_loss:2.0 val_bpb:1.25 train_time:400000ms",
        "9000/20000 val_loss: 2.0 val_bpb: 1.25",
        "step 9000 | val loss 2.0 | val bpb 1.25",
        "[val] step=9000 val_loss=2.0 val_bpb=1.25",
        "Evaluation at step 9000: val_loss: 2.0, val_bpb: 1.25",
        '{"step": 9000, "val_loss": 2.0, "val_bpb": 1.25}',
    ],
)
def test_validation_while_training_is_a_point_and_no_score_to_claim(log, line):
    found = log(HEADER + TRAINING + line + "\n")
    assert found.score is None
    assert (found.scores[-1].name, found.scores[-1].text) == ("step", "1.25")
    last = found.points[-1]
    assert (last.step, last.val_loss, last.val_bpb) == (9000, 2.0, 1.25)


@pytest.mark.parametrize(
    "line",
    [
        "step:9000/20000 train_loss:2.5 train_time:400000ms step_avg:44.4ms",
        "9000/20000 train_loss: 2.5 train_time: 6.7m tok/s: 8346897",
        "step 9000: train loss 2.5, lr 1e-3",
        "step: 9000/20000 | train_loss: 2.5 | time: 400s",
        "step:9000/20000 loss:2.5",
    ],
)
def test_training_is_read_in_every_spelling(log, line):
    found = log(HEADER + TRAINING + line + "\n")
    assert (found.points[-1].step, found.points[-1].train_loss) == (9000, 2.5)


def test_an_error_that_the_run_survived_does_not_count(log):
    found = log(HEADER + OOM + TRAINING + TRAINED + SCORED)
    assert (found.complete, found.reason) == (True, "")


# -- sizes, seeds, machine ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "sizes"),
    [
        (
            "Serialized model: 135417533 bytes\nCode size (uncompressed): 157868 bytes\n"
            "Code size (compressed): 31999 bytes\nSerialized model quantized+pergroup: 15865260 bytes\n"
            "Total submission size quantized+pergroup: 15897259 bytes\n",
            (15865260, 31999, 15897259),
        ),
        (
            "Raw model: 85587955 bytes | Code: 70969 bytes | Total: 85658924\n"
            "INT7+zlib model: 15370972 bytes | Total submission: 15441941 bytes\n",
            (15370972, 70969, 15441941),
        ),
        (
            "Serialized model: 111568154 bytes\nCode size: 80288 bytes\n"
            "Total submission size: 111648442 bytes\nSerialized model rdquant+zstd: 16558180 bytes\n"
            "Total submission size: 16638468 bytes\n",
            (16558180, 80288, 16638468),
        ),
        (
            "Serialized model int6+zstd: 15,777,256 bytes\nCode size: 52,930 bytes\n"
            "Total submission size int8+zlib: 15,830,186 bytes\nartifact_bytes:   15830186\n",
            (15777256, 52930, 15830186),
        ),
        (
            "size_check: model=15777256 code=52930 total=15830186 limit=16000000 ok=True\n",
            (15777256, 52930, 15830186),
        ),
        (
            "Artifact: 15.86 MB (15863489 bytes)\nCode: 47,642 bytes\n",
            (None, 47642, 15863489),
        ),
        (
            "Serialized model: 67224983 bytes\nCode size: 47642 bytes\n"
            "Total submission size: 67272625 bytes\nArtifact (zstd-22): 15815847 bytes\n",
            (None, 47642, 15815847),
        ),
        ("Artifact: 15.87 MB\n", (None, None, None)),
        ("model_bytes=100 code_bytes=20 total_bytes=120\n", (100, 20, 120)),
        ("Serialized model: 67224983 bytes\nCode size: 47642 bytes\n", (None, 47642, None)),
        ("peak memory: 23749 MiB\nlimit: 16000000 bytes\n", (None, None, None)),
    ],
)
def test_the_sizes_are_of_the_compressed_artifact(log, lines, sizes):
    found = log(HEADER + TRAINING + lines)
    assert (found.bytes_model, found.bytes_code, found.bytes_total) == sizes


def test_a_seed_that_is_not_printed_is_the_file_names(log):
    text = WHOLE.replace("seed:42\n", "")
    found = log(text, "train_seed1337.log")
    assert (found.seed, found.seed_from) == (1337, "file name")
    assert log(text).seed is None
    printed = log(WHOLE, "train_seed1337.log")
    assert (printed.seed, printed.notes) == (42, ("prints seed 42; the file's name says 1337",))


def test_machine_and_versions_are_read(log):
    found = log(
        "Running Python 3.12.3 (main) [GCC 13.3.0]\nRunning PyTorch 2.9.1+cu128\n"
        "| NVIDIA-SMI 570.211.01   Driver Version: 570.211.01   CUDA Version: 12.8     |\n"
        "|   0  NVIDIA H100 80GB HBM3          On  |   00000000:04:00.0 Off |             0 |\n"
        "|   1  NVIDIA H100 80GB HBM3          On  |   00000000:05:00.0 Off |             0 |\n"
        + WHOLE
    )
    assert found.hardware == "2x NVIDIA H100 80GB HBM3"
    assert found.versions == {
        "python": "3.12.3",
        "pytorch": "2.9.1+cu128",
        "driver": "570.211.01",
        "cuda": "12.8",
    }


@pytest.mark.parametrize(
    ("line", "hardware"),
    [
        ("[modal] Launching torchrun on 8xH100...", "8xH100"),
        ("GPU: NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3"),
        ("device: NVIDIA GeForce RTX 5090", "NVIDIA GeForce RTX 5090"),
        ("using 1x A100-SXM4 for 10 minutes", "1x A100-SXM4"),
        ("python:3.11 torch:2.9 device:cpu values:frozen", "CPU"),
        ("iterations:20000 H1000 xA100y", ""),
    ],
)
def test_a_printed_machine_is_read(log, line, hardware):
    assert log(line + "\n" + WHOLE).hardware == hardware


def test_the_metrics_technique_writes_a_log_too(log):
    found = log(
        '{"event": "step", "step": 5, "train_loss": 3.0, "elapsed_ms": 500.0}\n'
        '{"event": "eval", "stage": "training", "step": 5, "val_loss": 2.0, "val_bpb": 1.2}\n'
        '{"event": "artifact", "bytes_raw": 99, "bytes_model": 50, "bytes_code": 5, "bytes_total": 55}\n'
        '{"event": "eval", "stage": "final_int8_zlib_roundtrip", "val_loss": 2.0123456789,'
        ' "val_bpb": 1.2123456789, "elapsed_ms": 219.0}\n'
    )
    assert told(found) == ("final_int8_zlib_roundtrip", "1.2123456789")
    assert (found.steps, found.train_ms, found.score.seconds) == (5, 500, 0.219)
    assert (found.bytes_model, found.bytes_code, found.bytes_total) == (50, 5, 55)


def test_figures_are_all_numbers_with_their_lines(log):
    found = log("step:1/20 train_loss:2.50 eval_time:1401ms\nint8 15,863,489 bytes, 1e-3\n")
    assert [(f.text, f.line) for f in found.figures()] == [
        ("1", 1),
        ("20", 1),
        ("2.50", 1),
        ("1401", 1),
        ("15,863,489", 2),
        ("15", 2),
        ("863", 2),
        ("489", 2),
        ("1e-3", 2),
    ]
    assert next(f.value for f in found.figures() if f.line == 2) == 15863489


# -- files that are no logs, and large ones -----------------------------------------------------


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"PK\x03\x04" + bytes(100), "is a zip or .pt file, not a log"),
        (b"\x1f\x8b\x08" + bytes(100), "is a gzip file, not a log"),
        (bytes(range(256)) * 20, "is binary, not a log"),
    ],
)
def test_what_is_no_text_is_refused(log, data, problem):
    with pytest.raises(ComposeError, match=re.escape(problem)):
        log(data)


def test_folders_and_missing_files_are_refused(tmp_path):
    with pytest.raises(ComposeError, match="is a folder"):
        read_log(tmp_path)
    with pytest.raises(ComposeError, match="No such file"):
        read_log(tmp_path / "none.log")


def test_a_long_line_keeps_its_two_ends(tmp_path):
    path = tmp_path / "long.log"
    path.write_text("a" * 300_000 + "middle" + "b" * 300_000 + " final val_bpb:1.08\nnext\n")
    (_, line), following = lines_of(path)
    assert len(line) <= LONGEST + 10
    assert line.startswith("aaa") and line.endswith("val_bpb:1.08\n")
    assert following == (2, "next\n")
    assert read_log(path).score.text == "1.08"


WEIGH = """
import resource, sys, time
from pathlib import Path
from pgolf_compose.logs import read_log
path, steps = Path(sys.argv[1]), int(sys.argv[2])
with path.open("w") as file:
    for n in range(1, steps):
        file.write(f"step:{n}/{steps} train_loss:2.{n % 9999} train_time:{n}ms step_avg:1.00ms\\n")
        if n % 10 == 0:
            file.write(f"step:{n}/{steps} val_loss:2.1 val_bpb:1.3 train_time:{n}ms\\n")
    file.write("final_int8_zlib_roundtrip_exact val_loss:2.0 val_bpb:1.22436570\\n" + "x" * steps)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = read_log(path)
sum(1 for _ in found.figures())
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(path.stat().st_size, grown, len(found.points), len(found.scores), found.score.text)
"""


def weighed(tmp_path, steps: int) -> tuple[int, ...]:
    script = [sys.executable, "-c", WEIGH, str(tmp_path / "big.log"), str(steps)]
    told = subprocess.run(script, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    *numbers, score = told.split()
    assert score == "1.22436570"
    return tuple(map(int, numbers))


def test_memory_does_not_grow_with_the_log(tmp_path):
    size, grown, points, scores = weighed(tmp_path, 60_000)
    assert size > 4_000_000
    assert points < 20_000 and scores < 2_001
    assert grown < 12_000  # kB


@pytest.mark.exhaustive
def test_a_log_of_100_mb_is_read_in_bounded_memory(tmp_path):
    size, grown, points, _ = weighed(tmp_path, 1_400_000)
    assert size > 100_000_000
    assert points < 20_000
    assert grown < 16_000  # kB


def test_lines_made_to_be_slow_are_not(log):
    texts = [
        "loss " * 3000,
        "val_bpb:" * 2000,
        "bpb:1.5 " * 2000,
        "x_" * 8000 + "bpb 1",
        "a-" * 8000,
    ]
    for text in texts:
        assert log(HEADER + TRAINING + (text + "\n") * 3).score is None


def test_random_bytes_among_the_lines_raise_nothing(tmp_path):
    random.seed(0)
    path = tmp_path / "fuzz.log"
    data = DUMP.format(rule=RULE).encode() + RULE.encode() + WHOLE.encode() + OOM.encode()
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(40):
            at = random.randrange(len(broken))
            broken[at : at + random.choice((0, 1, 3))] = random.randbytes(random.choice((0, 1, 2)))
        path.write_bytes(bytes(broken))
        found = read_log(path)
        assert isinstance(found.complete, bool)
        assert all(figure.line > 0 for figure in found.figures())


def test_logs_of_a_folder_are_found_by_name_and_content(tmp_path):
    files = {
        "train_seed42.log": WHOLE,
        "train_v0.txt": WHOLE,
        "requirements.txt": "torch==2.9\n",
        "notes.txt": "val_bpb: 1.1\n",
        "words.txt": "nothing here\n",
        "README.md": "val_bpb:1.1\n",
        "logs/run.txt": WHOLE,
        ".hidden/x.log": WHOLE,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = [path.relative_to(tmp_path).as_posix() for path in find_logs(tmp_path)]
    assert found == ["logs/run.txt", "train_seed42.log", "train_v0.txt"]


# -- the public logs ----------------------------------------------------------------------------


def published() -> list[list[str]]:
    lines = (ROOT / "tests/published/logs.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines[1:]]


def test_every_public_log_gives_what_the_table_says(shared):
    found = []
    for row in published():
        log = read_log(shared / "records" / row[0])
        name, text, line = (
            (log.score.name, log.score.text, log.score.line) if log.score else ("-", "-", "-")
        )
        sizes = (log.bytes_model, log.bytes_code, log.bytes_total)
        values = [row[0], name, text, line, log.steps, f"{log.train_ms:.0f}", *sizes, log.seed]
        found.append(list(map(str, values)))
        assert log.complete == (log.score is not None), row[0]
        assert log.runs == 1, row[0]
        assert all(a + b == c for a, b, c in [sizes]), row[0]
    assert found == published()


def test_the_table_has_every_public_log(shared):
    there = {
        path.relative_to(shared / "records").as_posix()
        for path in (shared / "records").rglob("*")
        if path.suffix in (".log", ".txt")
    }
    assert {row[0] for row in published()} == there
    assert len(there) == 128


@pytest.mark.skipif(not SHARED.is_dir(), reason="the captured numbers in ../shared are not here")
@pytest.mark.parametrize("row", published()[::16], ids=lambda row: Path(row[0]).parent.name[:20])
def test_a_public_log_cut_anywhere_never_gives_a_new_score(row, tmp_path):
    data = (SHARED / "records" / row[0]).read_bytes()
    whole = {s.text for s in read_log(SHARED / "records" / row[0]).scores}
    path = tmp_path / "cut.log"
    for part in range(1, 12):
        path.write_bytes(data[: len(data) * part // 12 + part])
        found = read_log(path)
        assert not found.complete or found.score.text in whole
        assert {s.text for s in found.scores} <= whole
