"""The idioms between: FlashAttention 3 or none, Parallel Muon over banks, EMA, int6 and zstd."""

import glob
import io
import lzma
import math
import os
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

try:
    import zstandard

    COMPRESSOR = "zstd"
except ImportError:
    COMPRESSOR = "lzma"
try:
    from flash_attn_interface import flash_attn_func as flash_attn_3_func

    HAS_FA3 = True
except ImportError:
    HAS_FA3 = False
torch._dynamo.config.optimize_ddp = False
torch._inductor.config.a_setting_of_another_version = True

E_ = os.environ.get
VOCAB, DIM, HEADS, KV = (
    int(E_(*one))
    for one in (
        ("VOCAB_SIZE", "1024"),
        ("MODEL_DIM", "512"),
        ("NUM_HEADS", "8"),
        ("NUM_KV_HEADS", "4"),
    )
)
SEQ, BATCH = int(E_("TRAIN_SEQ_LEN", "2048")), int(E_("TRAIN_BATCH_TOKENS", "786432"))
STEPS, STRIDE = int(E_("ITERATIONS", "9000")), int(E_("EVAL_STRIDE", "64"))
DATA = E_("DATA_PATH", "./data/datasets/fineweb10B_sp1024")


@torch.compile
def newton_schulz(G, steps=5):
    X = G.bfloat16()
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        A = X @ X.mT
        X = 3.4445 * X + (-4.775 * A + 2.0315 * A @ A) @ X
    return X


class ParallelMuon(torch.optim.Optimizer):
    def __init__(self, params, lr, momentum=0.95):
        super().__init__(params, dict(lr=lr, momentum=momentum))

    def launch_reduce_scatters(self):
        self.futures = []
        for p in self.param_groups[0]["params"]:
            shard = torch.empty_like(p.grad[: len(p) // dist.get_world_size()]).bfloat16()
            work = dist.reduce_scatter_tensor(
                shard, p.grad.bfloat16(), op=dist.ReduceOp.AVG, async_op=True
            )
            self.futures.append((p, shard, work))

    @torch.no_grad()
    def step(self):
        group, gathers = self.param_groups[0], []
        for p, shard, work in self.futures:
            work.wait()
            state = self.state[p]
            m = state.setdefault("m", torch.zeros_like(shard))
            m.mul_(group["momentum"]).add_(shard)
            full = torch.empty_like(p, dtype=torch.bfloat16)
            update = newton_schulz(shard.add(m, alpha=group["momentum"]))
            gathers.append((p, full, dist.all_gather_into_tensor(full, update, async_op=True)))
        for p, full, work in gathers:
            work.wait()
            p.add_(full.to(p.dtype), alpha=-group["lr"])


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok_emb = nn.Embedding(VOCAB, DIM)
        self.qo_bank = nn.Parameter(torch.randn(4, DIM, DIM) * DIM**-0.5)
        self.kv_bank = nn.Parameter(torch.randn(4, DIM * KV // HEADS, DIM) * DIM**-0.5)

    def forward_logits(self, ids):
        x = self.tok_emb(ids)
        B, T, _ = x.shape
        for n in range(2):
            h = F.rms_norm(x, (DIM,))
            q = F.linear(h, self.qo_bank[n]).view(B, T, HEADS, -1)
            k, v = (F.linear(h, self.kv_bank[n + i]).view(B, T, KV, -1) for i in (0, 2))
            if HAS_FA3:
                y = flash_attn_3_func(q, k, v, causal=True, window_size=(SEQ // 2, 0))
            else:
                raise RuntimeError("no attention")
            x = x + F.linear(y.reshape(B, T, DIM), self.qo_bank[n + 2])
        return 30.0 * torch.tanh(F.linear(F.rms_norm(x, (DIM,)), self.tok_emb.weight) / 30.0)

    def forward(self, ids, targets):
        logits = self.forward_logits(ids)
        return F.cross_entropy(logits.float().view(-1, VOCAB), targets.reshape(-1))


def tokens_of(pattern):
    path = sorted(glob.glob(os.path.join(DATA, pattern)))[0]
    tokens = torch.from_numpy(np.fromfile(path, "<u2", offset=1024).astype(np.int32))
    return tokens.pin_memory()


def eval_val_sliding(model, tokens):
    nats, count = 0.0, 0
    with torch.inference_mode(), torch.amp.autocast("cuda", dtype=torch.bfloat16):
        for start in range(0, min(len(tokens) - SEQ - 1, 40 * STRIDE), STRIDE):
            x = tokens[start : start + SEQ].long().cuda(non_blocking=True)[None]
            y = tokens[start + 1 : start + SEQ + 1].long().cuda(non_blocking=True)
            logits = model.forward_logits(x)
            keep = STRIDE if start else SEQ
            nll = F.cross_entropy(logits[0, -keep:].float(), y[-keep:], reduction="sum")
            nats, count = nats + nll.item(), count + keep
    return nats / count


def main():
    dist.init_process_group("nccl", device_id=torch.device("cuda:0"))
    torch.cuda.set_device(0)
    torch.manual_seed(42)
    model = GPT().to("cuda").bfloat16()
    with torch.no_grad():
        model.tok_emb.weight.normal_(std=0.005)
    forward = torch.compile(model, dynamic=False)
    muon = ParallelMuon([model.qo_bank, model.kv_bank], lr=0.02)
    adam = torch.optim.AdamW(
        [{"params": [model.tok_emb.weight], "lr": 0.03, "base_lr": 0.03}], fused=True
    )
    ema = {k: v.detach().float().clone() for k, v in model.state_dict().items()}
    train, side = tokens_of("fineweb_train_*.bin"), torch.cuda.Stream()
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    for step in range(STEPS):
        local = train[step * BATCH : (step + 1) * BATCH + 1].to("cuda", non_blocking=True).long()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = forward(local[:-1].view(-1, SEQ), local[1:].view(-1, SEQ))
        loss.backward()
        muon.launch_reduce_scatters()
        with torch.cuda.stream(side):
            dist.all_reduce(model.tok_emb.weight.grad, op=dist.ReduceOp.AVG)
            adam.step()
        torch.cuda.current_stream().wait_stream(side)
        muon.step()
        model.zero_grad(set_to_none=True)
        for k, v in model.state_dict().items():
            ema[k].mul_(0.9).add_(v.float(), alpha=0.1)
        print(f"step:{step + 1}/{STEPS} train_loss:{loss.item():.4f}", flush=True)
    ended.record(), torch.cuda.synchronize()
    print(f"took {began.elapsed_time(ended):.0f} ms on {torch.cuda.get_device_properties(0).name}")
    model.load_state_dict({k: v.bfloat16() for k, v in ema.items()})
    packed = {}
    for k, v in model.state_dict().items():
        scale = v.float().abs().amax(-1, keepdim=True) / 31 + 1e-9
        packed[k] = {"q": (v.float() / scale).round().clamp(-32, 31).to(torch.int8), "s": scale}
    buffer = io.BytesIO()
    torch.save(packed, buffer)
    if COMPRESSOR == "zstd":
        blob = zstandard.ZstdCompressor(level=22).compress(buffer.getvalue())
    else:
        blob = lzma.compress(buffer.getvalue())
    with open("final_model.int6.ptz", "wb") as f:
        f.write(blob)
    with open("final_model.int6.ptz", "rb") as f:
        blob = f.read()
    if COMPRESSOR == "zstd":
        raw = zstandard.ZstdDecompressor().decompress(blob)
    else:
        raw = lzma.decompress(blob)
    state = torch.load(io.BytesIO(raw), map_location="cuda:0", weights_only=False)
    fresh = GPT().cuda().bfloat16()
    fresh.load_state_dict({k: one["q"] * one["s"] for k, one in state.items()}, strict=True)
    started = time.perf_counter()
    loss = eval_val_sliding(fresh, tokens_of("fineweb_val_*.bin"))
    print(
        f"final_int6_sliding_window val_loss:{loss:.4f} val_bpb:{loss / math.log(2) / 2.5:.4f} "
        f"eval_time:{1000 * (time.perf_counter() - started):.0f}ms"
    )
    dist.destroy_process_group()


main()
