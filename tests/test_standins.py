"""Stand-ins compute what they stand in for; any script runs under them, and tells its stages."""

import base64
import importlib.util
import json
import lzma
import re
import sys
import types
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from conftest import run_script, starter

from pgolf_compose import trace as tracing
from pgolf_compose.environment import small_environment, vocabulary
from pgolf_compose.standins import attention, kernels

GENERATIONS = Path(__file__).parent / "generations"


@pytest.fixture
def forked(monkeypatch, tmp_path, tiny):
    """Scripts are run by a fork of a process that has torch, on the session's tiny data."""

    def start(asked, folder, env):
        code = (
            "import json, os\n"
            "from pgolf_compose.standins.child import main\n"
            f"os._exit(main(json.loads({json.dumps(asked)!r})))\n"
        )
        (folder / "launch.py").write_text(code)
        done = starter().run(folder / "launch.py", {**env}, timeout=300)
        (folder / "stdout.txt").write_text(done.stdout)
        (folder / "stderr.txt").write_text(done.stderr)
        code = done.returncode
        return types.SimpleNamespace(poll=lambda: code, returncode=code)

    monkeypatch.setattr(tracing, "start", start)
    monkeypatch.setattr(tracing, "end", lambda process: None)
    monkeypatch.setattr("pgolf_compose.environment.make_tiny", lambda *args, **kwargs: None)
    monkeypatch.setattr("pgolf_compose.environment.VOCABULARY", 512)
    cache = tmp_path / "cache" / "pgolf-compose"
    cache.mkdir(parents=True)
    (cache / "tiny-512").symlink_to(tiny)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def stages(output: str) -> dict[str, str]:
    rows = re.findall(r"^(\S+(?: \S+)*) +[\d.]+ s  (.*)$", output, re.M)
    return dict(rows)


@pytest.mark.parametrize(
    "name, wanted",
    [
        (
            "march",
            {
                "parameters": "163,840 (bfloat16)",
                "step": "6 steps, loss ",
                "quantise": "5 tensors, 163,840 numbers in 8 bits or fewer",
                "artifact": " bytes, final_model.int8.ptz, zlib",
                "read back": "5 tensors loaded",
                "evaluate": "8,192 tokens in 16 passes, ",
            },
        ),
        (
            "middle",
            {
                "imports": "stand-ins for flash_attn_interface",
                "step": "6 steps, loss ",
                "artifact": " bytes, final_model.int6.ptz, zstd",
                "evaluate": ", final_int6_sliding_window",
            },
        ),
        (
            "late",
            {
                "imports": "stand-ins for triton, flash_attn_interface",
                "step": "6 steps, loss ",
                "quantise": "4 tensors, 131,072 numbers in 8 bits or fewer",
                "artifact": " bytes, final_model.int6.ptz, brotli",
                "evaluate": "512 tokens in 8 passes, 8 updates, ",
            },
        ),
    ],
)
def test_a_script_for_a_gpu_runs_on_a_cpu(name, wanted, forked, cli):
    result = cli("run", GENERATIONS / f"{name}.py", "--smoke")
    assert result.exit_code == 0, result.output
    found = stages(result.output)
    assert [*found] == [
        "code bytes",
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
    ]
    for stage, text in wanted.items():
        assert text in found[stage], stage


@pytest.mark.parametrize(
    "script, told",
    [
        ("import nothing_like_it\n", "imports: ModuleNotFoundError: No module named "),
        ("import sys\n\nsys.exit('no data')\n", "imports: no data;"),
        ("import torch\nx = 1 / 0\n", "imports: ZeroDivisionError: division by zero (line 2: x = "),
        ("exec('y = 2\\n1 / 0')", "division by zero (line 2 of unpacked-1.py: 1 / 0)"),
        ("x = (\n", "imports: SyntaxError: '(' was never closed (line 1: x = ()"),
        ("print('done')\n", "imports: the script ended without it"),
        (
            "import torch\nm = torch.nn.Linear(9000, 1000)\nm(torch.zeros(1, 1).expand(60000, 9000))\n",
            "forward: too large for a CPU smoke run: 9,001,000 parameters, 540,000,000 tokens",
        ),
        (
            "import torch\nm = torch.nn.Linear(4, 4)\nm(torch.zeros(4, 4)).foo\n",
            "step: AttributeError: 'Tensor' object has no attribute 'foo' (line 3: ",
        ),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "imports: ended by SIGSEGV"),
    ],
)
def test_a_failure_is_one_line_that_names_the_stage(script, told, forked, cli):
    Path("it.py").write_text(script)
    result = cli("run", "it.py", "--smoke")
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("it.py: FAILED in ") and result.stderr.count("\n") == 1
    assert told in result.stderr


def test_a_run_that_takes_too_long_is_ended(tmp_path):
    script = tmp_path / "it.py"
    script.write_text("import time\ntime.sleep(60)\n")
    *_, failure, end = tracing.watch(script, tmp_path, {}, timeout=0.2)
    assert failure["message"] == "took longer than 0.2 s" and end["end"]


@pytest.mark.parametrize(
    "args, told",
    [
        (["nowhere.py", "--smoke"], "nowhere.py: there is no such file\n"),
        (["it.py"], "a script runs as it is, and only with --smoke"),
        (["it.py", "--smoke", "--set", "a=1"], "a script runs as it is, and only with --smoke"),
    ],
)
def test_what_cannot_be_run_is_refused(args, told, tree, refuses):
    tree({"it.py": ""})
    assert told in refuses("run", *args)


def test_two_scripts_that_compute_nothing_do_not_count_as_alike(forked, cli):
    Path("a.py").write_text("print(1)\n")
    Path("b.py").write_text("print(2)\n")
    result = cli("diff", "a.py", "b.py", "--run")
    told = "a.py: nothing to compare: neither script asked torch for anything\n"
    assert (result.exit_code, result.stderr) == (2, told)


def test_two_scripts_are_compared_by_what_they_compute(forked, cli):
    march = (GENERATIONS / "march.py").read_text()
    renamed = march.replace("tok_emb", "e").replace("blocks", "a_list").replace("proj", "p")
    Path("other.py").write_text(renamed)
    script = GENERATIONS / "march.py"
    same = cli("diff", script, "other.py", "--run", "--json")
    found = json.loads(same.output)
    assert same.exit_code == 0 and found["agree"], found["first"]
    counts = {kind: one["compared"] for kind, one in found["kinds"].items()}
    assert counts == {
        "losses": [12, 12],
        "learning rates": [6, 6],
        "figures": [8, 8],
        "outputs": [28, 28],
        "scores": [1, 1],
        "tensors": [30, 30],
    }
    Path("other.py").write_text(renamed.replace("step in range", "step_ in range", 1).replace(
        "optimizer.step()", "optimizer.step(); optimizer.param_groups[0]['lr'] *= 0.5"
    ).replace("{step + 1}", "{step_ + 1}"))  # fmt: skip
    other = cli("diff", script, "other.py", "--run")
    assert other.exit_code == 1 and not other.stderr, other.exception
    first, *rows = other.output.splitlines()
    assert first == "first difference: rate 2: lr 0.04 against lr 0.02"
    assert rows[1] == "learning rates  6, 5 differ, 0.0387 apart at most"
    assert re.match(r"losses +12, 8 differ, ", rows[0])


def test_the_vocabulary_is_read_off_the_script():
    assert vocabulary("import os\nn = os.environ.get('VOCAB_SIZE', 8192)") == 1024
    assert vocabulary("class H:\n    vocab_size = 4096") == 4096
    assert vocabulary("class H:\n    vocab_size: int = int(4096)") == 4096
    assert vocabulary("path = './data/datasets/fineweb10B_sp8192'") == 8192
    assert vocabulary("not Python") == 1024


# attention


def heads(T, H, B=2, D=8, dtype=torch.float32):
    return torch.randn(B, T, H, D, generator=torch.Generator().manual_seed(T + H), dtype=dtype)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_attention_is_scaled_dot_product_attention(causal, groups):
    q, k, v = heads(7, 4), heads(7, groups) * 2, heads(7, groups) - 1
    wanted = F.scaled_dot_product_attention(
        *(t.transpose(1, 2) for t in (q, k, v)), is_causal=causal, enable_gqa=True
    )
    found = attention.flash_attn_func(q, k, v, causal=causal)
    assert torch.allclose(found, wanted.transpose(1, 2), atol=1e-6)
    again = attention.flash_attn_2_func(q, k, v, 0.0, None, causal)
    assert torch.equal(again, found)


def test_the_last_query_sees_the_last_key():
    q, k, v = heads(3, 2), heads(5, 2), heads(5, 2)
    found = attention.flash_attn_func(q, k, v, causal=True)
    alone = attention.flash_attn_func(q[:, :1], k[:, :3], v[:, :3])
    assert torch.allclose(found[:, :1], alone, atol=1e-6)
    few = attention.flash_attn_func(heads(5, 2), k[:, :3], v[:, :3], causal=True)
    assert not few[:, :2].any()  # before the first key


def test_a_window_hides_what_lies_further_back():
    q, k, v = heads(6, 2), heads(6, 2), heads(6, 2)
    found = attention.flash_attn_func(q, k, v, causal=True, window_size=(2, 0))
    alone = attention.flash_attn_func(q[:, 5:], k[:, 3:], v[:, 3:])
    assert torch.allclose(found[:, 5:], alone, atol=1e-6)


def test_sequences_of_any_length_do_not_see_each_other():
    q, k, v = (heads(9, n, B=1)[0] for n in (4, 2, 2))
    cu = torch.tensor([0, 4, 4, 7], dtype=torch.int32)
    found = attention.flash_attn_varlen_func(q, k, v, cu, cu, 4, 4, causal=True)
    for a, b in ((0, 4), (4, 7)):
        alone = attention.flash_attn_func(q[None, a:b], k[None, a:b], v[None, a:b], causal=True)
        assert torch.equal(found[a:b], alone[0])
    assert not found[7:].any()


def test_attention_refuses_what_it_does_not_know():
    q = heads(3, 2)
    with pytest.raises(NotImplementedError, match="does not know attention_chunk"):
        attention.flash_attn_func(q, q, q, attention_chunk=4)


# Triton

tl = types.SimpleNamespace(**kernels.FUNCTIONS, float32=torch.float32, int32=torch.int32)


@kernels.jit
def row_softmax(x, out, stride, n, BLOCK: "tl.constexpr"):
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    inside = cols < n
    v = tl.load(x + row * stride + cols, mask=inside, other=-float("inf")).to(tl.float32)
    e = tl.exp(v - tl.max(v, axis=0))
    tl.store(out + row * stride + cols, e / tl.sum(e, axis=0), mask=inside)


def test_a_kernel_computes_what_it_says():
    x = torch.randn(5, 7).t().contiguous().t()[:, :6].contiguous()
    out = torch.full_like(x, 9)
    row_softmax[(5,)](x, out, x.stride(0), 6, BLOCK=8, num_warps=4)
    assert torch.allclose(out, x.softmax(-1))


@kernels.autotune(configs=[kernels.Config({"BM": 4, "BN": 4, "BK": 2})], key=["M"])
@kernels.jit
def product(a, b, c, M, N, K, BM: "tl.constexpr", BN: "tl.constexpr", BK: "tl.constexpr"):
    at = tl.program_id(0) * BM, tl.program_id(1) * BN
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    for k in range(tl.cdiv(K, BK)):
        acc += tl.dot(a.load([at[0], k * BK]), b.load([at[1], k * BK]).T)
    c.store(at, acc)


def test_descriptors_clip_at_the_edges():
    a, b, c = torch.randn(6, 5), torch.randn(7, 5), torch.zeros(6, 7)
    descriptors = (
        kernels.TensorDescriptor.from_tensor(t, s)
        for t, s in ((a, (4, 2)), (b, (4, 2)), (c, (4, 4)))
    )
    product[lambda meta: (-(-6 // meta["BM"]), -(-7 // meta["BN"]))](*descriptors, 6, 7, 5)
    assert torch.allclose(c, a @ b.T, atol=1e-5)


@kernels.jit
def count(seen, n):
    tl.atomic_add(seen + tl.program_id(0) % n, 1)


def test_programs_add_to_one_place():
    seen = torch.zeros(3, dtype=torch.int32)
    count[(10,)](seen, 3)
    assert seen.tolist() == [4, 3, 3]
    with pytest.raises(IndexError, match="reaches places 3 to 3 of a tensor with 3"):
        count[(4,)](seen, 9)


@pytest.fixture
def late(monkeypatch):
    """The kernels of that script, on the CPU."""
    for name, module in kernels.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "flash_attn_interface", attention)
    monkeypatch.setenv("VOCAB_SIZE", "300")
    gpu = types.SimpleNamespace(multi_processor_count=132)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: gpu)
    monkeypatch.setattr(torch.library, "custom_op", lambda *args, **kwargs: FakeOperator)
    spec = importlib.util.spec_from_file_location("late", GENERATIONS / "late.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakeOperator:
    """What torch.library makes of a function, for functions that have no CPU."""

    def __init__(self, function):
        self.run = function

    def register_fake(self, function):
        return function

    def register_autograd(self, function, setup_context):
        pass


def test_the_kernels_of_a_fused_loss_compute_its_loss_and_gradient(late):
    logits = (10 * torch.randn(5, 300)).bfloat16().requires_grad_()
    targets = torch.tensor([0, 299, 7, 7, 150])
    with torch.no_grad():
        losses, sums = late.softcapped_ce.run(logits, targets)
    capped = 60 * torch.sigmoid(logits.float() / 15)
    wanted = F.cross_entropy(capped, targets, reduction="none")
    assert torch.allclose(losses, wanted, atol=1e-4)
    assert torch.allclose(sums, capped.logsumexp(-1), atol=1e-4)
    weight = torch.linspace(-1, 1, 5)
    (wanted * weight).sum().backward()
    context = types.SimpleNamespace(saved_tensors=(logits.detach(), targets, sums))
    found, _ = late.backward(context, weight, None)
    assert torch.allclose(found.float(), logits.grad.float(), atol=0.01)


def test_the_kernel_of_a_fused_mlp_computes_both_directions(late):
    x, w1, w2 = (
        torch.randn(*shape, requires_grad=True, dtype=torch.bfloat16)
        for shape in ((1, 20, 24), (48, 24), (24, 48))
    )
    mine = late.FusedMLP.apply(x, w1, w2)
    grads = torch.autograd.grad(mine.float().square().mean(), (x, w1, w2))
    plain = F.leaky_relu(x @ w1.T, 0.5).square() @ w2.T
    wanted = torch.autograd.grad(plain.float().square().mean(), (x, w1, w2))
    assert torch.allclose(mine.float(), plain.float(), rtol=0.02, atol=2)
    for one, other in zip(grads, wanted, strict=True):
        assert (one - other).float().norm() < 0.02 * other.float().norm()


BF, HALF, INT = (
    kernels.Block(torch.tensor([7, -7], dtype=d))
    for d in (torch.bfloat16, torch.float16, torch.int32)
)


@pytest.mark.parametrize(
    "found, dtype, values",
    [
        (BF * 2.0, torch.bfloat16, [14, -14]),
        (BF + kernels.argument(0.5), torch.float32, [7.5, -6.5]),
        (BF * INT, torch.bfloat16, [49, 49]),
        (BF / 2, torch.float32, [3.5, -3.5]),
        (HALF / HALF, torch.float32, [1, 1]),
        (INT / 2, torch.float32, [3.5, -3.5]),
        (INT // 2, torch.int32, [3, -3]),
        (INT % 2, torch.int32, [1, -1]),
        (1 - INT, torch.int32, [-6, 8]),
        (INT * 0.5, torch.float32, [3.5, -3.5]),
        (INT > 0, torch.bool, [True, False]),
        (tl.sum(BF, axis=0), torch.float32, 0),
        (tl.maximum(BF, 0.0), torch.float32, [7, 0]),
        (tl.where(INT > 0, BF, 0.0), torch.bfloat16, [7, 0]),
    ],
)
def test_types_follow_triton(found, dtype, values):
    assert found.dtype == dtype and found.data.tolist() == values


# what only a process of its own can show

COLLECTIVES = """
import json, sys
import torch, torch.distributed as dist
import torch._dynamo, torch.utils.data, torch.nn.attention
from pgolf_compose.standins import cuda, distributed

cuda.install(), distributed.install()
dist.init_process_group("nccl", device_id=torch.device("cuda", 0))
rank, world = dist.get_rank(), dist.get_world_size()
x = torch.arange(4.0, device="cuda").bfloat16() + rank
whole, shard = x.clone(), x.new_empty(4 // world)
dist.all_reduce(whole, op=dist.ReduceOp.AVG)
work = dist.reduce_scatter_tensor(shard, x, op=dist.ReduceOp.SUM, async_op=True)
work.wait()
parts = [torch.empty_like(shard) for _ in range(world)]
dist.all_gather(parts, shard)
flat = torch.empty_like(x)
dist.all_gather_into_tensor(flat, shard)
dist.barrier(device_ids=[0])
if rank == 0:
    print(json.dumps([whole.tolist(), shard.tolist(), torch.cat(parts).tolist(), flat.tolist()]))
dist.destroy_process_group()
import os
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.parametrize("world", [1, pytest.param(2, marks=pytest.mark.exhaustive)])
def test_collectives_of_nccl_over_gloo(world, tmp_path):
    ran = run_script(COLLECTIVES, tmp_path, processes=world)
    assert ran.exit_code == 0, ran.stderr
    summed = [world * n + sum(range(world)) for n in range(4)]
    assert json.loads(ran.stdout) == [
        [n / world for n in summed],
        summed[: 4 // world],
        summed,
        summed,
    ]


CUDA = """
import torch
import torch._dynamo, torch._inductor.config, torch.nn.attention.flex_attention
import torch.utils.data
from torch import nn
from pgolf_compose.standins import compiling, cuda

cuda.install(), compiling.install()
device = torch.device("cuda", 0)
assert isinstance(device, torch.device) and torch.cuda.is_available()
assert torch.zeros(2, device="cuda").to(0).cuda().to("cuda:0").device == device
assert torch.ones(2).new_zeros(3, device=device).pin_memory().is_cuda
assert torch.randn(2, generator=torch.Generator(device="cuda").manual_seed(1)).shape == (2,)
model = nn.Linear(3, 3, device="cuda").to(device, torch.bfloat16)
with torch.cuda.stream(torch.cuda.Stream()), torch.autocast("cuda", dtype=torch.bfloat16):
    assert model(torch.zeros(1, 3)).dtype == torch.bfloat16
a, b = (torch.cuda.Event(enable_timing=True) for _ in range(2))
a.record(), b.record(), torch.cuda.synchronize()
assert a.elapsed_time(b) >= 0 and torch.cuda.max_memory_allocated() == 0


@torch.compile(dynamic=False)
def double(x):
    return 2 * x


with torch.inference_mode():
    kept = double(torch.ones(3))
w = nn.Parameter(torch.ones(3))
(w * kept).sum().backward()  # as compiled code can
assert w.grad.tolist() == [2, 2, 2]
assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()


@torch.inference_mode()
def scored():
    return torch.is_grad_enabled()


assert not scored() and torch.is_grad_enabled()
torch._inductor.config.coordinate_descent_tuning = True
torch._dynamo.config.of_no_version = 1
scaler = torch.amp.GradScaler("cuda")
scaler.scale(torch.ones(())).item()
with torch.nn.attention.sdpa_kernel(None):
    torch.backends.cuda.enable_flash_sdp(True)
"""


def test_cuda_is_another_name_of_the_cpu(tmp_path):
    ran = run_script(CUDA, tmp_path)
    assert ran.exit_code == 0, ran.stderr


FLEX = """
import torch
import torch._dynamo, torch._inductor.config, torch.nn.attention.flex_attention
import torch.nn.functional as F
import torch.utils.data
from pgolf_compose.standins import compiling, cuda, packages

cuda.install(), compiling.install(), packages.install()
import triton
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

mask = create_block_mask(lambda b, h, q, k: q >= k, None, None, 128, 128, device="cuda")
q = torch.randn(1, 2, 128, 16, device="cuda", requires_grad=True)
y = torch.compile(flex_attention)(q, q, q, block_mask=mask)
wanted = F.scaled_dot_product_attention(q, q, q, is_causal=True)
assert torch.allclose(y, wanted, atol=1e-5)
[one], [other] = (torch.autograd.grad(t.square().sum(), q) for t in (y, wanted))
assert torch.allclose(one, other, atol=1e-4)
"""


@pytest.mark.exhaustive
def test_flex_attention_trains_on_a_cpu_and_finds_no_triton(tmp_path):
    ran = run_script(FLEX, tmp_path)
    assert ran.exit_code == 0, ran.stderr


def test_the_environment_is_one_process_of_torchrun(tmp_path):
    env = small_environment(tmp_path, 512)
    assert env["WORLD_SIZE"] == "1" and env["TOKENIZER_PATH"].endswith("fineweb_512_bpe.model")


def test_a_frozen_script_is_told_to_be_too_large(forked, cli):
    frozen = {"VOCAB_SIZE": 512, "MODEL_DIM": 2048, "TRAIN_BATCH_TOKENS": 61440}
    source = re.sub(
        r'os.environ.get\("([A-Z_]+)", ([\d.]+)\)',
        lambda found: str(frozen.get(found[1], found[2])),
        (GENERATIONS / "march.py").read_text(),
    )
    packed = base64.b85encode(lzma.compress(source.encode()))
    Path("it.py").write_text(
        f"import base64,lzma\nexec(lzma.decompress(base64.b85decode({packed})))"
    )
    result = cli("run", "it.py", "--smoke")
    assert result.exit_code == 1, result.output
    assert "it.py: FAILED in forward: frozen: too large for a CPU smoke run: 26,214,400 para" in (
        result.stderr
    )
    found = stages(result.stdout)
    assert re.match(rf"[\d,]+, {len(source):,} unpacked: ", found["code bytes"])
    assert found["as it is"].startswith("MODEL_DIM, TRAIN_SEQ_LEN, TRAIN_BATCH_TOKENS and ")
