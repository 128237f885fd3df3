"""Composed scripts really run: alone, under torchrun, from the command line; and say what is amiss."""

import shutil
import struct

import pytest
from conftest import SMALL, as_module, hyperparameters, run_script, technique, write_tree

import pgolf_compose
from pgolf_compose.passes.freeze import KEPT
from pgolf_compose.smoke import smoke_sizes


@pytest.fixture(scope="module")
def measured():
    return pgolf_compose.compose("baseline", added=["metrics"])


def step_losses(ran):
    return [one["train_loss"] for one in ran.events if one["event"] == "step"]


def scores(ran):
    return [(one["val_loss"], one["val_bpb"]) for one in ran.events if one["event"] == "eval"]


@pytest.fixture(scope="module")
def alone(measured, tmp_path_factory, short):
    folder = tmp_path_factory.mktemp("alone")
    ran = run_script(measured.readable, folder, as_users_do=True, DATA_DIR=str(short))
    assert ran.exit_code == 0, ran.stderr
    return ran


def test_it_learns(alone):
    losses = step_losses(alone)
    assert losses[0] == pytest.approx(6.24, abs=0.05)  # ln(512): nothing is known yet
    assert losses[-1] < losses[0]


def test_the_small_file_computes_the_same(measured, alone, tmp_path, short):
    small = run_script(measured.packed_at(SMALL), tmp_path, as_users_do=True, DATA_DIR=str(short))
    assert small.exit_code == 0, small.stderr

    def told(ran):
        return [
            {key: v for key, v in one.items() if "bytes_" not in key and "_ms" not in key}
            for one in ran.events
            if one["event"] != "artifact"
        ] + [one["bytes_model"] for one in ran.events if one["event"] == "artifact"]

    for one, other in zip(told(small), told(alone), strict=True):
        if isinstance(one, dict):
            one.pop("memory_bytes", 0), other.pop("memory_bytes", 0)
        assert one == other


def test_two_processes_give_the_losses_of_one(measured, alone, tmp_path, short):
    two = run_script(measured.readable, tmp_path, processes=2, DATA_DIR=str(short))
    assert two.exit_code == 0, two.stderr
    assert "world_size:2 grad_accum_steps:4" in two.stdout
    assert step_losses(two) == pytest.approx(step_losses(alone), rel=1e-5)
    for one, other in zip(scores(two), scores(alone), strict=True):
        assert one == pytest.approx(other, rel=1e-5)


def test_the_log_holds_the_code_and_every_value(alone, measured, tmp_path, short):
    run_script(measured.readable, tmp_path, DATA_DIR=str(short))
    log = (tmp_path / "logs" / "test.txt").read_text()
    assert log.startswith(measured.script.code)
    for assignment in measured.composition.assignments:
        assert f"\n{assignment.attribute}:" in log, assignment.attribute


def test_two_processes_keep_to_one_schedule_under_a_cap(measured, tmp_path, short):
    # rates follow the clock here: were each to read its own, the replicas would drift apart
    probe = technique(
        "# @fill train.end\n"
        "for name, t in model.state_dict().items():\n"
        "    least, most = t.clone(), t.clone()\n"
        "    dist.all_reduce(least, op=dist.ReduceOp.MIN)\n"
        "    dist.all_reduce(most, op=dist.ReduceOp.MAX)\n"
        "    assert torch.equal(least, most), name\n"
        'log(h, "replicas agree")\n'
    )
    write_tree(tmp_path / "mine", {"probe": probe})
    build = pgolf_compose.compose("baseline", added=["probe"], plugins=[tmp_path / "mine"])
    env = {"ITERATIONS": "100000", "MAX_WALLCLOCK_SECONDS": "3", "WARMDOWN_ITERS": "100000"}
    two = run_script(build.readable, tmp_path, processes=2, DATA_DIR=str(short), **env)
    assert two.exit_code == 0, two.stderr
    assert "replicas agree" in two.stdout and "stopping_early" in two.stdout


def test_the_model_compiles_whole_and_computes_the_same(measured, alone, tmp_path, short):
    if not shutil.which("g++"):
        pytest.skip("torch.compile needs g++ on a CPU")
    env = {"TORCH_COMPILE": "1", "ITERATIONS": "2", "NUM_LAYERS": "1"}
    eager = run_script(
        measured.readable, tmp_path / "e", DATA_DIR=str(short), **env | {"TORCH_COMPILE": "0"}
    )
    ran = run_script(
        measured.readable, tmp_path / "c", as_users_do=True, DATA_DIR=str(short), **env
    )
    assert ran.exit_code == 0, ran.stderr
    assert step_losses(ran) == pytest.approx(step_losses(eager), rel=1e-5)


def test_warm_up_steps_leave_no_trace(measured, alone, tmp_path, short):
    warm = run_script(measured.readable, tmp_path, DATA_DIR=str(short), WARMUP_STEPS="2")
    assert "warmup_step:2/2" in warm.stdout
    assert step_losses(warm) == step_losses(alone)


def test_parallel_muon_computes_what_muon_computes(alone, tmp_path, short):
    build = pgolf_compose.compose("baseline", added=["metrics", "parallel_muon"])
    one = run_script(build.readable, tmp_path / "one", DATA_DIR=str(short))
    assert one.exit_code == 0, one.stderr
    assert step_losses(one) == step_losses(alone) and scores(one) == scores(alone)
    two = run_script(build.readable, tmp_path / "two", processes=2, DATA_DIR=str(short))
    assert two.exit_code == 0, two.stderr
    assert step_losses(two) == pytest.approx(step_losses(alone), rel=1e-5)


@pytest.mark.parametrize("momentum, leaves_a_trace", [("reset", False), ("kept", True)])
def test_what_warm_up_leaves_of_parallel_muon(momentum, leaves_a_trace, tmp_path, short):
    build = pgolf_compose.compose(
        "baseline",
        added=["metrics", "parallel_muon"],
        set=[f"parallel_muon.warmup_momentum={momentum}"],
    )
    cold, warm = (
        run_script(build.readable, tmp_path / steps, DATA_DIR=str(short), WARMUP_STEPS=steps)
        for steps in ("0", "2")
    )
    assert "warmup_step:2/2" in warm.stdout
    assert (step_losses(warm) != step_losses(cold)) == leaves_a_trace


def test_the_wall_clock_ends_training(measured, tmp_path, short):
    env = {"ITERATIONS": "100000", "MAX_WALLCLOCK_SECONDS": "0.5", "DATA_DIR": str(short)}
    ran = run_script(measured.readable, tmp_path, **env)
    assert ran.exit_code == 0 and "stopping_early: wallclock_cap train_time:" in ran.stdout
    assert 0 < len(step_losses(ran)) < 1000


def test_the_default_precision_is_the_challenge_s(measured, tmp_path, short):
    ran = run_script(measured.readable, tmp_path, DATA_DIR=str(short), PRECISION=None)
    assert ran.exit_code == 0, ran.stderr
    assert "\nprecision:bf16\n" in (tmp_path / "logs" / "test.txt").read_text()
    assert step_losses(ran)[0] == pytest.approx(6.24, abs=0.1)


@pytest.fixture
def damaged(tmp_path, short):
    """A copy of the short dataset that a test may damage."""
    folder = tmp_path / "data"
    shutil.copytree(short, folder)
    return folder


def refused(build, tmp_path, **env):
    ran = run_script(build.readable, tmp_path / "run", **env)
    assert ran.exit_code == 2, (ran.exit_code, ran.stderr)
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "run" / "final_model.int8.ptz").exists()
    return ran.stderr


def test_without_data_the_script_says_where_it_looked(baseline, tmp_path):
    assert refused(baseline, tmp_path, DATA_DIR="nowhere", TOKENIZER_PATH="t") == (
        "train_gpt.py: no tokenizer at t (TOKENIZER_PATH)\n"
    )
    assert refused(baseline, tmp_path, DATA_DIR="nowhere") == (
        "train_gpt.py: no tokenizer at nowhere/tokenizers/fineweb_512_bpe.model (TOKENIZER_PATH)\n"
    )


def test_without_shards_the_script_says_where_it_looked(baseline, tmp_path, damaged):
    for split in ("train", "val"):
        for path in damaged.rglob(f"fineweb_{split}_*.bin"):
            path.unlink()
        shards = damaged / "datasets" / "fineweb10B_sp512"
        found = refused(baseline, tmp_path, DATA_DIR=str(damaged))
        assert found == (
            f"train_gpt.py: no {split} shards: nothing matches "
            f"{shards}/fineweb_{split}_*.bin (DATA_PATH)\n"
        )


def test_a_shard_cut_short_is_refused(baseline, tmp_path, damaged):
    [path] = damaged.rglob("fineweb_val_*.bin")
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-5])
    tokens = struct.unpack_from("<3i", path.read_bytes())[2]
    assert refused(baseline, tmp_path, DATA_DIR=str(damaged)) == (
        f"train_gpt.py: {path} is damaged: {tokens} tokens are {size} bytes, it has {size - 5}\n"
    )


def test_a_damaged_tokenizer_is_refused(baseline, tmp_path, damaged):
    tokenizer = damaged / "tokenizers" / "fineweb_512_bpe.model"
    tokenizer.write_bytes(b"garbage")
    assert refused(baseline, tmp_path, DATA_DIR=str(damaged)) == (
        f"train_gpt.py: {tokenizer} is no SentencePiece model (TOKENIZER_PATH)\n"
    )


def test_a_tokenizer_of_another_size_is_refused(baseline, tmp_path, damaged):
    tokenizer = damaged / "tokenizers" / "fineweb_512_bpe.model"
    env = {"VOCAB_SIZE": "600", "TOKENIZER_PATH": str(tokenizer)}
    assert refused(baseline, tmp_path, DATA_DIR=str(damaged), **env) == (
        f"train_gpt.py: {tokenizer} has 512 pieces, not 600 (VOCAB_SIZE)\n"
    )


def test_tokens_beyond_the_vocabulary_are_refused(baseline, tmp_path, damaged):
    [path] = damaged.rglob("fineweb_val_*.bin")
    content = bytearray(path.read_bytes())
    content[1100:1102] = struct.pack("<H", 513)
    path.write_bytes(content)
    assert refused(baseline, tmp_path, DATA_DIR=str(damaged)) == (
        f"train_gpt.py: {path} holds token 513; the vocabulary has 512 (VOCAB_SIZE)\n"
    )


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"NUM_LAYERS": "nine"}, "NUM_LAYERS=nine does not read as int; unset, it is 9"),
        (
            {"TIE_EMBEDDINGS": "maybe"},
            "TIE_EMBEDDINGS=maybe does not read as bool; unset, it is True",
        ),
        ({"PRECISION": "fp16"}, "PRECISION=fp16 is none of bf16, fp32"),
        (
            {"TRAIN_BATCH_TOKENS": "500"},
            "TRAIN_BATCH_TOKENS=500 is not a multiple of 8 x TRAIN_SEQ_LEN",
        ),
        ({"NUM_LAYERS": "0"}, "NUM_LAYERS=0 is out of range: 1 to 256"),
        ({"MATRIX_LR": "nan"}, "MATRIX_LR=nan is out of range: 0 to None"),
        ({"ITERATIONS": "-1"}, "ITERATIONS=-1 is out of range: 0 to None"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE=0 is out of range: 1 to None"),
        (
            {"NUM_HEADS": "3"},
            "MODEL_DIM must be an even multiple of NUM_HEADS, NUM_HEADS one of NUM_KV_HEADS",
        ),
        (
            {"WORLD_SIZE": "3", "RANK": "0"},
            "3 processes cannot share 8 micro-batches evenly: use 1, 2, 4 or 8",
        ),
    ],
)
def test_an_environment_that_cannot_run_is_refused(baseline, tmp_path, short, env, message):
    assert refused(baseline, tmp_path, DATA_DIR=str(short), **env) == f"train_gpt.py: {message}\n"


def test_a_switch_that_disagrees_with_the_composition_stops_the_run(tree, short):
    folder = tree(
        {"mine": {"a": technique("# @fill main.finish\nlog(h, 1)\n", 'switch="A_ENABLED"')}}
    )
    build = pgolf_compose.compose("baseline", added=["a"], plugins=[folder / "mine"])
    assert refused(build, folder, DATA_DIR=str(short), A_ENABLED="0") == (
        "train_gpt.py: A_ENABLED=0, but this file was composed with True: recompose it\n"
    )
    agreed = run_script(build.readable, folder / "run", DATA_DIR=str(short), A_ENABLED="1")
    assert agreed.exit_code == 0, agreed.stderr


def test_a_mode_that_was_not_composed_stops_the_run(tmp_path, short):
    build = pgolf_compose.compose(
        "baseline", added=["coprime_loader"], set=["coprime_loader.order=deterministic"]
    )
    assert refused(build, tmp_path, DATA_DIR=str(short), LOADER_MODE="sequential") == (
        "train_gpt.py: LOADER_MODE=sequential, but this file was composed with coprime: "
        "recompose it\n"
    )


def test_more_iterations_than_polar_express_has_are_refused(tmp_path, short):
    build = pgolf_compose.compose("baseline", added=["polar_express"])
    assert refused(build, tmp_path, DATA_DIR=str(short), MUON_BACKEND_STEPS="6") == (
        "train_gpt.py: MUON_BACKEND_STEPS=6 is more than Polar Express's 5 iterations\n"
    )
    with pytest.raises(pgolf_compose.ComposeError, match="more than the 5 iterations"):
        pgolf_compose.compose("baseline", added=["polar_express"], set=["muon_backend_steps=6"])


def test_a_checkpoint_must_name_every_parameter(tmp_path, short):
    import numpy as np

    build = pgolf_compose.compose("baseline", added=["init_from_checkpoint"])
    path = tmp_path / "some.npz"
    np.savez(path, **{"tok_emb.weight": np.zeros((512, 32), dtype="float32")})
    told = refused(build, tmp_path, DATA_DIR=str(short), INIT_CHECKPOINT=str(path))
    assert told.startswith(f"train_gpt.py: {path}: only here or only in the model: blocks.0.attn.")
    assert refused(build, tmp_path, DATA_DIR=str(short)) == (
        "train_gpt.py: no checkpoint at (empty) (INIT_CHECKPOINT)\n"
    )


def test_a_checkpoint_may_spell_names_as_public_scripts_do(tmp_path):
    import numpy as np

    added = ["init_from_checkpoint", "smear_gate", "bigram_hash"]
    script = as_module(pgolf_compose.compose("baseline", added=added))
    small = {"num_layers": 3, "model_dim": 32, "num_heads": 4, "num_kv_heads": 2}
    h = hyperparameters(script, **small, init_checkpoint=str(tmp_path / "some.npz"))
    ours = {name: t.numpy() for name, t in script.GPT(h).state_dict().items()}
    public = {
        "bigram_hash.table.weight": ours["bigram.embed.weight"],
        "bigram_hash.proj.weight": ours["bigram.proj.weight"],
        "bigram.scale": ours["bigram.scale"],
        "smeargate.gate": ours["smear.gate"],
    }
    for bank, kinds in {
        "qo_bank": ["attn.c_q", "attn.proj"],
        "kv_bank": ["attn.c_k", "attn.c_v"],
        "mlp_up_bank": ["mlp.fc"],
        "mlp_down_bank": ["mlp.proj"],
    }.items():
        public[bank] = np.stack(
            [ours[f"blocks.{n}.{kind}.weight"] for kind in kinds for n in range(3)]
        )
    rest = {
        name: t
        for name, t in ours.items()
        if not name.startswith(("bigram", "smear")) and "attn.c_" not in name
        if not name.endswith(("attn.proj.weight", "mlp.fc.weight", "mlp.proj.weight"))
    }
    np.savez(h.init_checkpoint, **public, **rest)
    model = script.GPT(h)
    script.load_checkpoint(h, model)
    for name, t in model.state_dict().items():
        assert np.array_equal(t.numpy(), ours[name]), name


def test_smoke_goes_through_every_stage_and_leaves_other_files_alone(tree, cli, monkeypatch):
    folder = tree({"out": {"baseline": {"smoke": {"notes.txt": "mine"}}}})
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    result = cli("run", "baseline", "--smoke", "--set", "data_path=/nowhere")
    assert result.exit_code == 0, result.output
    assert (folder / "out" / "baseline" / "smoke" / "notes.txt").read_text() == "mine"
    stages = [line.split("  ")[0] for line in result.stdout.splitlines()]
    assert [stage.strip() for stage in stages] == [
        "compose",
        "data",
        "imports",
        "hyperparameters",
        "parameters",
        "forward",
        "step",
        "quantise",
        "artifact",
        "read back",
        "evaluate",
        "small file",
        "shipped",
        "all stages went through; everything is in out/baseline/smoke",
    ]


def test_what_a_recipe_turns_off_stays_off_at_the_smoke_size():
    build = pgolf_compose.compose("baseline", set=["warmup_steps=0"])
    assert smoke_sizes(build)["WARMUP_STEPS"] == "0"
    assert smoke_sizes(pgolf_compose.compose("baseline"))["WARMUP_STEPS"] == "1"


def test_smoke_of_a_technique_that_crashes_tells_where_the_rest_is(tree, refuses, monkeypatch, cli):
    folder = tree({"mine": {"a": technique("# @fill main.setup\nraise ValueError('no')\n")}})
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    result = cli("run", "baseline", "--smoke", "--with", "a", "--plugins", "mine")
    assert result.exit_code == 2
    assert result.stderr == (
        "mine/a/fragments.py:2: ValueError: no "
        "(the run ended with 1; all of it in out/baseline/smoke/stderr.txt)\n"
    )
    assert "Traceback" in (folder / "out" / "baseline" / "smoke" / "stderr.txt").read_text()


def test_run_without_data_says_how_to_get_some(tree, refuses):
    tree({})
    assert refuses("run", "baseline") == (
        "data: there is no data here; `pgolf-compose data tiny` makes some, "
        "--data-dir data/tiny names it\n"
    )


def test_run_trains_and_tells_where_everything_is(tree, cli, monkeypatch, short):
    tree({})
    for name in (open_names := {*KEPT, "OMP_NUM_THREADS"} & set(SMALL)):
        monkeypatch.setenv(name, SMALL[name])
    frozen = [f"--set={name}={value}" for name, value in SMALL.items() if name not in open_names]
    result = cli("run", "baseline", "--data-dir", short, *frozen)
    assert result.exit_code == 0, result.output
    assert "step:3/3 val_loss:" in result.stdout
    assert "final_int8_zlib_roundtrip_exact val_loss:" in result.stdout
    for name in ("train_gpt.py", "final_model.int8.ptz", "logs/test.txt"):
        assert f"\nout/baseline/{name} " in result.stdout


def test_run_refuses_a_value_that_the_small_file_does_not_read(tree, refuses, monkeypatch):
    tree({})
    monkeypatch.setenv("SEED", "7")
    monkeypatch.setenv("MATRIX_LR", "0.3")
    assert refuses("run", "baseline") == (
        "MATRIX_LR=0.3 is set, but the small file is frozen at 0.04: --set MATRIX_LR=0.3 composes "
        "it so, --keep MATRIX_LR leaves it open\n"
    )
    monkeypatch.setenv("MATRIX_LR", "0.040")  # agrees
    assert refuses("run", "baseline").startswith("data: there is no data here")


@pytest.mark.exhaustive
def test_two_processes_compute_a_whole_record_as_one_does(tmp_path, short):
    # the loader alone reads other data in each process
    build = pgolf_compose.compose("pr1493", added=["metrics"], removed=["shuffled_sequences"])
    env = {
        "DATA_DIR": str(short),
        "DATA_PATH": str(next(short.glob("datasets/*"))),
        "INT8_KEEP_FLOAT_MAX_NUMEL": "1000",
        "ROPE_DIMS": "4",
        "LOOP_START": "1",
        "LOOP_END": "1",
        "EVAL_STRIDE": "32",
        "TTT_CHUNK_TOKENS": "8192",
        "TTT_EPOCHS": "1",
        "TTT_BATCH_SEQS": "256",
        "GPTQ_CALIBRATION_BATCHES": "8",
    }
    one, two = (run_script(build.readable, tmp_path / str(n), processes=n, **env) for n in (1, 2))
    assert (one.exit_code, two.exit_code) == (0, 0), two.stderr
    for event, value in (("step", "train_loss"), ("eval", "val_loss")):
        losses, others = (
            [row[value] for row in ran.events if row["event"] == event] for ran in (one, two)
        )
        assert len(losses) >= 3 and others == pytest.approx(losses, rel=1e-5)
