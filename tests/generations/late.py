"""The idioms of the end: fused Triton kernels, documents of any length, GPTQ, brotli, LoRA TTT."""

import glob
import io
import math
import os
from concurrent.futures import ThreadPoolExecutor

import brotli
import numpy as np
import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from flash_attn_interface import flash_attn_func, flash_attn_varlen_func
from torch import Tensor, nn
from triton.tools.tensor_descriptor import TensorDescriptor

E_ = os.environ.get
VOCAB, DIM, HEADS = int(E_("VOCAB_SIZE", 8192)), int(E_("MODEL_DIM", 512)), int(E_("NUM_HEADS", 8))
SEQ, BATCH = int(E_("TRAIN_SEQ_LEN", 2048)), int(E_("TRAIN_BATCH_TOKENS", 786432))
STEPS, RANK = int(E_("ITERATIONS", 20000)), int(E_("TTT_LORA_RANK", 96))
DATA = E_("DATA_PATH", "./data/datasets/fineweb10B_sp8192")
BOS, CAP = 1, 30.0


@triton.jit
def ce_forward(logits, losses, lses, targets, stride, n_cols, cap, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    logits += row * stride
    best, total = -float("inf"), 0.0
    for start in range(0, n_cols, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        inside = cols < n_cols
        v = tl.load(logits + cols, mask=inside, other=-float("inf")).to(tl.float32)
        z = tl.where(inside, 2.0 * cap * tl.sigmoid(v * (2.0 / cap)), -float("inf"))
        most = tl.maximum(best, tl.max(z, axis=0))
        total = total * tl.exp(best - most) + tl.sum(tl.exp(z - most), axis=0)
        best = most
    lse = best + tl.log(total)
    target = tl.load(targets + row).to(tl.int32)
    v = tl.load(logits + target).to(tl.float32)
    tl.store(lses + row, lse)
    tl.store(losses + row, lse - 2.0 * cap * tl.sigmoid(v * (2.0 / cap)))


@triton.jit
def ce_backward(grads, logits, lses, targets, out, stride, n_cols, cap, BLOCK: tl.constexpr):
    row, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    cols = part * BLOCK + tl.arange(0, BLOCK)
    inside = cols < n_cols
    v = tl.load(logits + row * stride + cols, mask=inside, other=0.0).to(tl.float32)
    s = tl.sigmoid(v * (2.0 / cap))
    p = tl.exp(2.0 * cap * s - tl.load(lses + row))
    p -= (cols == tl.load(targets + row)).to(tl.float32)
    grad = tl.load(grads + row) * p * 4.0 * s * (1.0 - s)
    tl.store(out + row * stride + cols, grad, mask=inside)


@torch.library.custom_op("late::softcapped_ce", mutates_args=(), device_types="cuda")
def softcapped_ce(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    losses = torch.empty(len(logits), dtype=torch.float32, device=logits.device)
    lses = torch.empty_like(losses)
    ce_forward[(len(logits),)](
        logits, losses, lses, targets, logits.stride(0), VOCAB, CAP, BLOCK=256, num_warps=4
    )
    return losses, lses


@softcapped_ce.register_fake
def _(logits, targets):
    return logits.new_empty(len(logits)), logits.new_empty(len(logits))


def remember(ctx, inputs, output):
    ctx.save_for_backward(*inputs, output[1])


def backward(ctx, grad, _):
    logits, targets, lses = ctx.saved_tensors
    out = torch.empty_like(logits)
    ce_backward[lambda meta: (len(logits), triton.cdiv(VOCAB, meta["BLOCK"]))](
        grad.contiguous(), logits, lses, targets, out, logits.stride(0), VOCAB, CAP, BLOCK=256
    )
    return out, None


softcapped_ce.register_autograd(backward, setup_context=remember)


@triton.jit
def linear_square(a, b, c, aux, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
                  PROGRAMS: tl.constexpr, FORWARD: tl.constexpr):  # fmt: skip
    """aux = leaky_relu(a b^T, 0.5)^2 in tiles shared out among programs; c keeps a b^T."""
    tiles_n = tl.cdiv(N, BN)
    for tile in tl.range(tl.program_id(0), tl.cdiv(M, BM) * tiles_n, PROGRAMS, flatten=True):
        m, n = tile // tiles_n * BM, tile % tiles_n * BN
        acc = tl.zeros((BM, BN), dtype=tl.float32)
        for k in range(tl.cdiv(K, BK)):
            acc = tl.dot(a.load([m, k * BK]), b.load([n, k * BK]).T, acc)
        pre = acc.to(tl.bfloat16)
        if FORWARD:
            c.store([m, n], pre)
            post = tl.where(pre > 0, pre, 0.5 * pre)
            aux.store([m, n], post * post)
        else:
            h = aux.load([m, n])
            c.store([m, n], pre * tl.where(h > 0, 2.0 * h, 0.5 * h))


def launch(a, b, c, aux, forward):
    (M, K), N = a.shape, b.size(0)
    blocks = ((a, [16, 64]), (b, [32, 64]), (c, [16, 32]), (aux, [16, 32]))
    programs = min(torch.cuda.get_device_properties("cuda").multi_processor_count, 8)
    linear_square[(programs,)](
        *(TensorDescriptor.from_tensor(t, block) for t, block in blocks),
        M, N, K, BM=16, BN=32, BK=64, PROGRAMS=programs, FORWARD=forward, num_stages=4,
    )  # fmt: skip


class FusedMLP(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w1, w2):
        flat = x.reshape(-1, x.size(-1))
        pre, post = (flat.new_empty(len(flat), len(w1)) for _ in range(2))
        launch(flat, w1, pre, post, True)
        ctx.save_for_backward(flat, w1, w2, pre, post)
        return (post @ w2.T).view_as(x)

    @staticmethod
    def backward(ctx, grad):
        flat, w1, w2, pre, post = ctx.saved_tensors
        grad, dpre = grad.reshape(flat.shape), torch.empty_like(pre)
        launch(grad.contiguous(), w2.T.contiguous(), dpre, pre, False)
        return (dpre @ w1).view(1, *flat.shape), dpre.T @ flat, grad.T @ post


class Linear(nn.Linear):
    def forward(self, x):
        return F.linear(x, self.weight.to(x.dtype))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok_emb = nn.Embedding(VOCAB, DIM)
        self.qkv, self.proj = Linear(DIM, 3 * DIM, bias=False), Linear(DIM, DIM, bias=False)
        self.fc, self.out = Linear(DIM, 2 * DIM, bias=False), Linear(2 * DIM, DIM, bias=False)

    def hidden(self, ids, cu_seqlens=None, lora=None):
        x = self.tok_emb(ids).bfloat16()
        h = F.rms_norm(x, (DIM,))
        qkv = self.qkv(h) if lora is None else self.qkv(h) + h @ lora[0].mT @ lora[1].mT
        q, k, v = (t.unflatten(-1, (HEADS, -1)) for t in qkv.chunk(3, -1))
        if cu_seqlens is None:
            y = flash_attn_func(q, k, v, causal=True)
        else:
            y = flash_attn_varlen_func(
                q[0], k[0], v[0], cu_seqlens_q=cu_seqlens, cu_seqlens_k=cu_seqlens,
                max_seqlen_q=SEQ, max_seqlen_k=SEQ, causal=True,
            )[None]  # fmt: skip
        x = x + self.proj(y.flatten(-2))
        h = F.rms_norm(x, (DIM,))
        if self.training:
            x = x + FusedMLP.apply(h, self.fc.weight.bfloat16(), self.out.weight.bfloat16())
        else:
            x = x + self.out(F.leaky_relu(self.fc(h), 0.5).square())
        return F.linear(F.rms_norm(x, (DIM,)), self.tok_emb.weight.bfloat16())

    def forward(self, ids, targets, cu_seqlens):
        logits = self.hidden(ids, cu_seqlens).flatten(0, 1)
        return softcapped_ce(logits.contiguous(), targets.flatten())[0].mean()

    def token_losses(self, ids, targets, lora=None):
        logits = CAP * torch.tanh(self.hidden(ids, lora=lora).float() / CAP)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")


def read(split):
    path = sorted(glob.glob(f"{DATA}/fineweb_{split}_*.bin"))[0]
    return torch.from_numpy(np.fromfile(path, "<u2", offset=1024).astype(np.int64))


def batch(tokens, at):
    local = torch.empty(BATCH // 8 + 1, dtype=torch.int64, pin_memory=True)
    local.copy_(tokens[at : at + len(local)])
    starts = torch.where(local[:-1] == BOS)[0].tolist()
    ends = sorted({0, *starts, *range(0, len(local), SEQ), len(local) - 1})
    cu = torch.tensor(ends, dtype=torch.int32).cuda(non_blocking=True)
    return local[None, :-1].cuda(non_blocking=True), local[None, 1:].cuda(), cu


def hessians(model, tokens):
    sums, hooks = {}, []
    for name, module in model.named_modules():
        if isinstance(module, Linear):

            def add(module, inputs, output, name=name):
                x = inputs[0].flatten(0, -2).float()
                sums[name] = sums.get(name, 0) + x.T @ x

            hooks.append(module.register_forward_hook(add))
    with torch.no_grad():
        model.eval().hidden(tokens[None, : 2 * SEQ].cuda())
    for hook in hooks:
        hook.remove()
    return sums


def gptq(W, H, bits=6):
    W, most = W.float().clone(), 2 ** (bits - 1) - 1
    H = H + torch.eye(len(H), device="cuda") * (0.01 * H.diagonal().mean() + 1e-6)
    inverse = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(H)), upper=True)
    scale, Q = 6 * W.std(dim=1) / most, torch.zeros_like(W)
    for i in range(W.size(1)):
        Q[:, i] = (W[:, i] / scale).round().clamp(-most, most)
        error = (W[:, i] - Q[:, i] * scale) / inverse[i, i]
        W[:, i:] -= error[:, None] * inverse[i, i:]
    return Q.to(torch.int8), scale.half()


def main():
    assert torch.cuda.get_device_capability() >= (9, 0), "needs Hopper"
    torch.manual_seed(int(E_("SEED", 42)))
    model = GPT().to("cuda")
    compiled = torch.compile(model, dynamic=False, fullgraph=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    train, pool = read("train"), ThreadPoolExecutor(1)
    waiting = pool.submit(batch, train, 0)
    for step in range(STEPS):
        x, y, cu = waiting.result()
        waiting = pool.submit(batch, train, (step + 1) * BATCH)
        loss = compiled(x, y, cu)
        loss.backward()
        optimizer.step(), optimizer.zero_grad()
        print(f"{step + 1}/{STEPS} train_loss: {loss.item():.4f}")
    H, packed = hessians(model, train), {}
    for name, W in model.state_dict().items():
        key = name.removesuffix(".weight")
        packed[name] = gptq(W, H[key]) if key in H else W.half()
    buffer = io.BytesIO()
    torch.save(packed, buffer)
    with open("final_model.int6.ptz", "wb") as f:
        f.write(brotli.compress(buffer.getvalue(), quality=5))
    with open("final_model.int6.ptz", "rb") as f:
        blob = f.read()
    state = torch.load(io.BytesIO(brotli.decompress(blob)), weights_only=True)
    state = {
        k: v[0].float() * v[1].float()[:, None] if isinstance(v, tuple) else v.float()
        for k, v in state.items()
    }
    model = GPT().cuda().eval()
    model.load_state_dict(state)
    for p in model.parameters():
        p.requires_grad_(False)
    lora = [torch.randn(RANK, DIM, device="cuda") / 8, torch.zeros(3 * DIM, RANK, device="cuda")]
    lora = [nn.Parameter(one.bfloat16()) for one in lora]
    adapter, val = torch.optim.AdamW(lora, lr=1e-3, capturable=False, fused=True), read("val")
    nats, count = torch.zeros((), dtype=torch.float64, device="cuda"), 0
    for start in range(0, 8 * SEQ, SEQ):
        x, y = val[None, start : start + SEQ].cuda(), val[start + 1 : start + SEQ + 1].cuda()
        with torch.no_grad():
            nats += model.token_losses(x, y, lora).double().sum()
        count += SEQ
        model.token_losses(x, y, lora).mean().backward()
        adapter.step(), adapter.zero_grad()
    loss = nats.item() / count
    print(f"quantized_ttt_phased val_loss:{loss:.8f} val_bpb:{loss / math.log(2) / 2.6:.8f}")


if __name__ == "__main__":
    main()
