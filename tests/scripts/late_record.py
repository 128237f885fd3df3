"""A training script in the manner of later public records: a bag `h`, options, most of them off.

Recurrence over some layers, an average of weights, rounding with a Hessian's help, scoring in
overlapping windows, and training on what was scored. Data are made here; a CPU takes seconds.
"""

import collections
import copy
import io
import lzma
import math
import os
import random
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel as DDP

try:
    import triton
    import triton.language as tl
except ImportError:
    triton = tl = None

torch._dynamo.config.cache_size_limit = 64


class Hyperparameters:
    # The run
    data_dir = os.environ.get("DATA_DIR", "./data/")
    seed = int(os.environ.get("SEED", 1337))
    run_id = os.environ.get("RUN_ID", str(uuid.UUID(int=3)))
    quiet = bool(int(os.environ.get("QUIET", "0")))

    # Steps
    iterations = int(os.environ.get("ITERATIONS", 10))
    warmdown_frac = float(os.environ.get("WARMDOWN_FRAC", 0.6))
    warmup_steps = int(os.environ.get("WARMUP_STEPS", 2))
    train_batch_tokens = int(os.environ.get("TRAIN_BATCH_TOKENS", 256))
    train_seq_len = int(os.environ.get("TRAIN_SEQ_LEN", 32))
    train_log_every = int(os.environ.get("TRAIN_LOG_EVERY", 5))
    max_wallclock_seconds = float(os.environ.get("MAX_WALLCLOCK_SECONDS", 600.0))

    # Model
    vocab_size = int(os.environ.get("VOCAB_SIZE", 48))
    num_layers = int(os.environ.get("NUM_LAYERS", 4))
    model_dim = int(os.environ.get("MODEL_DIM", 32))
    embedding_dim = int(os.environ.get("EMBEDDING_DIM", 32))
    num_heads = int(os.environ.get("NUM_HEADS", 4))
    num_kv_heads = int(os.environ.get("NUM_KV_HEADS", 2))
    mlp_mult = float(os.environ.get("MLP_MULT", 2.0))
    skip_gates_enabled = bool(int(os.environ.get("SKIP_GATES_ENABLED", "1")))
    tie_embeddings = bool(int(os.environ.get("TIE_EMBEDDINGS", "1")))
    logit_softcap = float(os.environ.get("LOGIT_SOFTCAP", 30.0))
    rope_base = float(os.environ.get("ROPE_BASE", 10000.0))
    rope_dims = int(os.environ.get("ROPE_DIMS", 4))
    rope_train_seq_len = int(os.environ.get("ROPE_TRAIN_SEQ_LEN", 32))
    qk_gain_init = float(os.environ.get("QK_GAIN_INIT", 4.0))
    ln_scale = bool(int(os.environ.get("LN_SCALE", "1")))
    xsa_last_n = int(os.environ.get("XSA_LAST_N", 4))
    value_residual = bool(int(os.environ.get("VALUE_RESIDUAL", "0")))
    bigram_buckets = int(os.environ.get("BIGRAM_BUCKETS", 0))
    smear_enabled = bool(int(os.environ.get("SMEAR_ENABLED", "0")))
    parallel_start = int(os.environ.get("PARALLEL_START", -1))

    # Recurrence
    num_loops = int(os.environ.get("NUM_LOOPS", 1))
    loop_start = int(os.environ.get("LOOP_START", 1))
    loop_end = int(os.environ.get("LOOP_END", 2))
    enable_looping_at = float(os.environ.get("ENABLE_LOOPING_AT", 0.5))

    # Optimizers
    min_lr = float(os.environ.get("MIN_LR", 0.0))
    tied_embed_lr = float(os.environ.get("TIED_EMBED_LR", 0.03))
    head_lr = float(os.environ.get("HEAD_LR", 0.008))
    matrix_lr = float(os.environ.get("MATRIX_LR", 0.02))
    scalar_lr = float(os.environ.get("SCALAR_LR", 0.02))
    muon_momentum = float(os.environ.get("MUON_MOMENTUM", 0.95))
    muon_backend_steps = int(os.environ.get("MUON_BACKEND_STEPS", 4))
    muon_row_normalize = bool(int(os.environ.get("MUON_ROW_NORMALIZE", "1")))
    muon_wd = float(os.environ.get("MUON_WD", 0.05))
    embed_wd = float(os.environ.get("EMBED_WD", 0.05))
    adam_wd = float(os.environ.get("ADAM_WD", 0.02))
    beta1, beta2 = float(os.environ.get("BETA1", 0.9)), float(os.environ.get("BETA2", 0.95))
    adam_eps = float(os.environ.get("ADAM_EPS", 1e-8))
    grad_clip_norm = float(os.environ.get("GRAD_CLIP_NORM", 0.3))
    ema_decay = float(os.environ.get("EMA_DECAY", 0.7))
    swa_enabled = bool(int(os.environ.get("SWA_ENABLED", "0")))

    # Artifact and scores
    compressor = os.environ.get("COMPRESSOR", "lzma")
    matrix_bits = int(os.environ.get("MATRIX_BITS", 6))
    embed_bits = int(os.environ.get("EMBED_BITS", 8))
    matrix_clip_sigmas = float(os.environ.get("MATRIX_CLIP_SIGMAS", 12.85))
    embed_clip_sigmas = float(os.environ.get("EMBED_CLIP_SIGMAS", 20.0))
    gptq_calibration_batches = int(os.environ.get("GPTQ_CALIBRATION_BATCHES", 2))
    sliding_window_enabled = bool(int(os.environ.get("SLIDING_WINDOW_ENABLED", "1")))
    eval_stride = int(os.environ.get("EVAL_STRIDE", 16))
    ttt_enabled = bool(int(os.environ.get("TTT_ENABLED", "0")))
    ttt_lr = float(os.environ.get("TTT_LR", 0.005))
    ttt_epochs = int(os.environ.get("TTT_EPOCHS", 3))
    ttt_chunk_tokens = int(os.environ.get("TTT_CHUNK_TOKENS", 128))

    # Machine
    distributed = "RANK" in os.environ and "WORLD_SIZE" in os.environ
    rank = int(os.environ.get("RANK", "0"))
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    is_main_process = rank == 0
    grad_accum_steps = 8 // world_size if distributed else 2
    device = "cuda" if torch.cuda.is_available() else "cpu"
    logfile = os.environ.get("LOGFILE", "")
    model_path = "final_model.pt"


_logger_hparams = None
CONTROL_TENSOR_NAME_PATTERNS = tuple(
    one
    for one in os.environ.get(
        "CONTROL_TENSOR_NAME_PATTERNS",
        "attn_scale,mlp_scale,resid_mix,q_gain,skip_weight,skip_gate",
    ).split(",")
    if one
)


def set_logging_hparams(h):
    global _logger_hparams
    _logger_hparams = h


def log(msg, console=True):
    if _logger_hparams is None:
        print(msg)
        return
    if _logger_hparams.is_main_process:
        if console and not _logger_hparams.quiet:
            print(msg)
        if _logger_hparams.logfile:
            with open(_logger_hparams.logfile, "a", encoding="utf-8") as file:
                print(msg, file=file)


# --- kernels: Triton where there is a GPU, torch elsewhere ---

if triton is not None and torch.cuda.is_available():

    @triton.jit
    def squared_relu_kernel(source, target, count, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        value = tl.load(source + at, mask=at < count, other=0.0)
        value = tl.where(value > 0, value, 0.5 * value)
        tl.store(target + at, value * value, mask=at < count)

    def squared_leaky(x):
        out = torch.empty_like(x)
        squared_relu_kernel[(triton.cdiv(x.numel(), 1024),)](x, out, x.numel(), BLOCK=1024)
        return out

else:

    def squared_leaky(x):
        return F.leaky_relu(x, negative_slope=0.5).square()


class SquaredLeaky(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return squared_leaky(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * torch.where(x > 0, 2 * x, 0.5 * x)


@torch.library.custom_op("late_record::softcapped", mutates_args=())
def softcapped(logits: Tensor, cap: float) -> Tensor:
    return cap * torch.tanh(logits / cap)


@softcapped.register_fake
def _(logits: Tensor, cap: float) -> Tensor:
    return torch.empty_like(logits)


# --- data ---


class ValidationData:
    def __init__(self, h, device):
        self.val_tokens = make_tokens(h, 700, offset=1).to(device)
        sizes = torch.arange(h.vocab_size, device=device) % 3 + 1
        self.base_bytes_lut = sizes.to(torch.int16)
        self.has_leading_space_lut = torch.arange(h.vocab_size, device=device) % 7 == 0


def make_tokens(h, count, offset=0):
    rng = np.random.default_rng(h.seed + offset)
    steps = rng.integers(1, 4, count)
    return torch.from_numpy(np.cumsum(steps) % h.vocab_size).long()


class ShuffledWindows:
    def __init__(self, h, device):
        self.world_size, self.rank = h.world_size, h.rank
        self.seq_len = h.train_seq_len
        self.device = device
        self.tokens = make_tokens(h, 6000)
        self.rng = np.random.default_rng(h.seed)
        self._reset()

    def _reset(self):
        phase = int(self.rng.integers(self.seq_len))
        starts = np.arange(phase, len(self.tokens) - self.seq_len - 1, self.seq_len)
        self.order = collections.deque(self.rng.permutation(starts)[self.rank :: self.world_size])

    def next_batch(self, global_tokens, grad_accum_steps):
        count = global_tokens // (self.world_size * grad_accum_steps * self.seq_len)
        rows = []
        for _ in range(max(count, 1)):
            if not self.order:
                self._reset()
            start = self.order.popleft()
            rows.append(self.tokens[start : start + self.seq_len + 1])
        batch = torch.stack(rows).to(self.device)
        return batch[:, :-1], batch[:, 1:]


# --- model ---


class RMSNorm(nn.Module):
    def __init__(self, eps=None):
        super().__init__()
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x, (x.size(-1),), eps=self.eps)


class CastedLinear(nn.Linear):
    def forward(self, x):
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, self.weight.to(x.dtype), bias)


class Rotary(nn.Module):
    def __init__(self, dim, base=10000.0, train_seq_len=1024, rope_dims=0):
        super().__init__()
        self.dim, self.base, self.train_seq_len = dim, base, train_seq_len
        self.rope_dims = rope_dims if rope_dims > 0 else dim
        exponents = torch.arange(0, self.rope_dims, 2, dtype=torch.float32) / self.rope_dims
        self.register_buffer("inv_freq", 1.0 / (base**exponents), persistent=False)
        self._seq_len_cached = 0
        self._tables = None

    def forward(self, seq_len, device, dtype):
        if self._tables is None or self._seq_len_cached != seq_len:
            if seq_len > self.train_seq_len:
                stretch = (seq_len / self.train_seq_len) ** (self.rope_dims / (self.rope_dims - 2))
                powers = torch.arange(0, self.rope_dims, 2, device=device) / self.rope_dims
                inv_freq = 1.0 / ((self.base * stretch) ** powers)
            else:
                inv_freq = self.inv_freq.to(device)
            angles = torch.outer(
                torch.arange(seq_len, device=device, dtype=torch.float32), inv_freq
            )
            self._tables = angles.cos()[None, :, None, :], angles.sin()[None, :, None, :]
            self._seq_len_cached = seq_len
        return tuple(table.to(dtype=dtype) for table in self._tables)


def apply_rotary_emb(x, cos, sin, rope_dims=0):
    if rope_dims > 0 and rope_dims < x.size(-1):
        turned, rest = x[..., :rope_dims], x[..., rope_dims:]
        return torch.cat((apply_rotary_emb(turned, cos, sin), rest), dim=-1)
    half = x.size(-1) // 2
    first, second = x[..., :half], x[..., half:]
    return torch.cat((first * cos + second * sin, second * cos - first * sin), dim=-1)


class CausalSelfAttention(nn.Module):
    def __init__(self, dim, num_heads, num_kv_heads, rope_base, qk_gain_init, train_seq_len):
        super().__init__()
        assert dim % num_heads == 0, "model_dim must be divisible by num_heads"
        if num_heads % num_kv_heads:
            raise ValueError("num_heads must be divisible by num_kv_heads")
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads
        self.head_dim = dim // num_heads
        kv_dim = num_kv_heads * self.head_dim
        self.c_q = CastedLinear(dim, dim, bias=False)
        self.c_k = CastedLinear(dim, kv_dim, bias=False)
        self.c_v = CastedLinear(dim, kv_dim, bias=False)
        self.proj = CastedLinear(dim, dim, bias=False)
        self.proj._zero_init = True
        self.q_gain = nn.Parameter(torch.full((num_heads,), qk_gain_init))
        self.rope_dims = 0
        self.rotary = Rotary(self.head_dim, base=rope_base, train_seq_len=train_seq_len)
        self.use_xsa = False

    def _xsa(self, y, v):
        batch, length, heads, dim = y.shape
        grouped = y.reshape(batch, length, v.size(-2), heads // v.size(-2), dim)
        unit = F.normalize(v, dim=-1).unsqueeze(-2)
        return (grouped - (grouped * unit).sum(dim=-1, keepdim=True) * unit).reshape(y.shape)

    def forward(self, x, v_first=None):
        batch, length, dim = x.shape
        q = self.c_q(x).reshape(batch, length, self.num_heads, self.head_dim)
        k = self.c_k(x).reshape(batch, length, self.num_kv_heads, self.head_dim)
        v = self.c_v(x).reshape(batch, length, self.num_kv_heads, self.head_dim)
        if v_first is not None:
            v = 0.5 * (v + v_first)
        q, k = F.rms_norm(q, (q.size(-1),)), F.rms_norm(k, (k.size(-1),))
        cos, sin = self.rotary(length, x.device, q.dtype)
        q = apply_rotary_emb(q, cos, sin, self.rope_dims)
        k = apply_rotary_emb(k, cos, sin, self.rope_dims)
        q = q * self.q_gain.to(dtype=q.dtype)[None, None, :, None]
        y = F.scaled_dot_product_attention(
            q.transpose(1, 2),
            k.transpose(1, 2),
            v.transpose(1, 2),
            attn_mask=None,
            is_causal=True,
            enable_gqa=self.num_kv_heads != self.num_heads,
        ).transpose(1, 2)
        if self.use_xsa:
            y = self._xsa(y, v)
        return self.proj(y.reshape(batch, length, dim))


class MLP(nn.Module):
    def __init__(self, dim, mlp_mult):
        super().__init__()
        hidden = int(mlp_mult * dim)
        self.fc = CastedLinear(dim, hidden, bias=False)
        self.proj = CastedLinear(hidden, dim, bias=False)
        self.proj._zero_init = True

    def forward(self, x):
        return self.proj(SquaredLeaky.apply(self.fc(x)))


class Block(nn.Module):
    def __init__(self, h, layer_idx=0, ln_scale=False):
        super().__init__()
        self.attn_norm, self.mlp_norm = RMSNorm(), RMSNorm()
        self.attn = CausalSelfAttention(
            h.model_dim, h.num_heads, h.num_kv_heads, h.rope_base, h.qk_gain_init, h.train_seq_len
        )
        self.mlp = MLP(h.model_dim, h.mlp_mult)
        self.attn_scale = nn.Parameter(torch.ones(h.model_dim))
        self.mlp_scale = nn.Parameter(torch.ones(h.model_dim))
        self.resid_mix = nn.Parameter(
            torch.stack((torch.ones(h.model_dim), torch.zeros(h.model_dim)))
        )
        self.ln_scale_factor = 1.0 / math.sqrt(layer_idx + 1) if ln_scale else 1.0
        self.parallel = False

    def forward(self, x, x0, v_first=None):
        mix = self.resid_mix.to(dtype=x.dtype)
        x_in = mix[0][None, None, :] * x + mix[1][None, None, :] * x0
        attn_out = self.attn(self.attn_norm(x_in) * self.ln_scale_factor, v_first=v_first)
        attn_out = self.attn_scale.to(dtype=x.dtype)[None, None, :] * attn_out
        if self.parallel:
            mlp_out = self.mlp(self.mlp_norm(x_in) * self.ln_scale_factor)
            return x_in + attn_out + self.mlp_scale.to(dtype=x.dtype)[None, None, :] * mlp_out
        x_out = x_in + attn_out
        mlp_out = self.mlp(self.mlp_norm(x_out) * self.ln_scale_factor)
        return x_out + self.mlp_scale.to(dtype=x.dtype)[None, None, :] * mlp_out


class BigramHash(nn.Module):
    def __init__(self, buckets, dim):
        super().__init__()
        self.buckets = buckets
        self.table = nn.Embedding(buckets, dim)
        nn.init.zeros_(self.table.weight)

    def forward(self, ids):
        before = F.pad(ids[:, :-1], (1, 0), value=0)
        return self.table((ids * 36313 ^ before * 27191) % self.buckets)


class GPT(nn.Module):
    def __init__(self, h):
        super().__init__()
        if h.logit_softcap <= 0.0:
            raise ValueError(f"logit_softcap must be positive, got {h.logit_softcap}")
        self.tie_embeddings = h.tie_embeddings
        self.logit_softcap = h.logit_softcap
        self.tok_emb = nn.Embedding(h.vocab_size, h.embedding_dim)
        if h.embedding_dim != h.model_dim:
            self.embed_proj = CastedLinear(h.embedding_dim, h.model_dim, bias=False)
            self.head_proj = CastedLinear(h.model_dim, h.embedding_dim, bias=False)
        else:
            self.embed_proj = self.head_proj = None
        self.bigram = BigramHash(h.bigram_buckets, h.model_dim) if h.bigram_buckets > 0 else None
        self.smear = nn.Parameter(torch.zeros(h.model_dim)) if h.smear_enabled else None
        self.blocks = nn.ModuleList(
            [Block(h, layer_idx=i, ln_scale=h.ln_scale) for i in range(h.num_layers)]
        )
        if h.rope_dims > 0:
            head_dim = h.model_dim // h.num_heads
            for block in self.blocks:
                block.attn.rope_dims = h.rope_dims
                block.attn.rotary = Rotary(
                    head_dim, h.rope_base, train_seq_len=h.rope_train_seq_len, rope_dims=h.rope_dims
                )
        self.final_norm = RMSNorm()
        self.lm_head = (
            None if h.tie_embeddings else CastedLinear(h.embedding_dim, h.vocab_size, bias=False)
        )
        if self.lm_head is not None:
            self.lm_head._zero_init = True
        for i in range(max(0, h.num_layers - h.xsa_last_n), h.num_layers):
            self.blocks[i].attn.use_xsa = True
        if h.parallel_start >= 0:
            for i in range(h.parallel_start, h.num_layers):
                self.blocks[i].parallel = True
        self.looping_active = False
        if h.num_loops > 0:
            loop_seg = list(range(h.loop_start, h.loop_end + 1))
            all_indices = list(range(h.loop_start))
            for _ in range(h.num_loops + 1):
                all_indices.extend(loop_seg)
            all_indices.extend(range(h.loop_end + 1, h.num_layers))
            num_enc = len(all_indices) // 2
            self.encoder_indices, self.decoder_indices = (
                all_indices[:num_enc],
                all_indices[num_enc:],
            )
        else:
            self.encoder_indices = list(range(h.num_layers // 2))
            self.decoder_indices = list(range(h.num_layers // 2, h.num_layers))
        num_skips = min(len(self.encoder_indices), len(self.decoder_indices))
        self.skip_weights = nn.Parameter(torch.ones(num_skips, h.model_dim))
        self.skip_gates = (
            nn.Parameter(torch.zeros(num_skips, h.model_dim)) if h.skip_gates_enabled else None
        )
        self.value_residual = h.value_residual
        self._init_weights()

    def _init_weights(self):
        nn.init.normal_(self.tok_emb.weight, mean=0.0, std=0.02)
        for _name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                if getattr(module, "_zero_init", False):
                    nn.init.zeros_(module.weight)
                elif module.weight.ndim == 2 and min(module.weight.shape) >= 16:
                    nn.init.orthogonal_(module.weight, gain=1.0)

    def forward_logits(self, input_ids):
        x = self.tok_emb(input_ids)
        if self.bigram is not None:
            x = x + self.bigram(input_ids)
        x = F.rms_norm(x, (x.size(-1),))
        if self.smear is not None:
            x = x + torch.sigmoid(self.smear) * F.pad(x[:, :-1], (0, 0, 1, 0))
        if self.embed_proj is not None:
            x = self.embed_proj(x)
        x0, v_first = x, None
        skips = []
        enc = self.encoder_indices if self.looping_active else range(len(self.blocks) // 2)
        dec = (
            self.decoder_indices
            if self.looping_active
            else range(len(self.blocks) // 2, len(self.blocks))
        )
        for i in enc:
            if self.value_residual and v_first is None:
                v_first = x.view(*x.shape[:2], -1, self.blocks[0].attn.head_dim)[:, :, :1]
            x = self.blocks[i](x, x0, v_first=v_first)
            skips.append(x)
        for skip_idx, i in enumerate(dec):
            if skip_idx < self.skip_weights.size(0) and skips:
                scaled = self.skip_weights[skip_idx].to(dtype=x.dtype)[None, None, :] * skips.pop()
                if self.skip_gates is not None:
                    gate = torch.sigmoid(self.skip_gates[skip_idx].to(dtype=x.dtype))[None, None, :]
                    x = torch.lerp(scaled, x, gate)
                else:
                    x = x + scaled
            x = self.blocks[i](x, x0, v_first=v_first)
        x = self.final_norm(x)
        if self.head_proj is not None:
            x = self.head_proj(x)
        logits_proj = F.linear(x, self.tok_emb.weight) if self.tie_embeddings else self.lm_head(x)
        return self.logit_softcap * torch.tanh(logits_proj / self.logit_softcap)

    def forward(self, input_ids, target_ids):
        logits = self.forward_logits(input_ids)
        return F.cross_entropy(
            logits.reshape(-1, logits.size(-1)).float(), target_ids.reshape(-1), reduction="mean"
        )


# --- optimizers ---


def classify_param(name):
    if "tok_emb" in name or "lm_head" in name:
        return "embed"
    if ".mlp." in name:
        return "mlp"
    if ".attn." in name or (".proj." in name and ".mlp." not in name):
        return "attn"
    return "other"


@torch.compile(backend="eager")
def zeropower_via_newtonschulz5(G, steps=10, eps=1e-7):
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G.bfloat16()
    X = X / (X.norm() + eps)
    if G.size(0) > G.size(1):
        X = X.T
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    if G.size(0) > G.size(1):
        X = X.T
    return X


class Muon(torch.optim.Optimizer):
    def __init__(
        self,
        params,
        lr,
        momentum,
        backend_steps,
        nesterov=True,
        weight_decay=0.0,
        row_normalize=False,
    ):
        super().__init__(
            params,
            dict(
                lr=lr,
                momentum=momentum,
                backend_steps=backend_steps,
                nesterov=nesterov,
                weight_decay=weight_decay,
                row_normalize=row_normalize,
            ),
        )

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                buf = self.state[p].setdefault("momentum_buffer", torch.zeros_like(g))
                buf.lerp_(g, 1 - group["momentum"])
                g = g.lerp(buf, group["momentum"]) if group["nesterov"] else buf
                if group.get("row_normalize", False):
                    g = g / g.float().norm(dim=-1, keepdim=True).clamp_min(1e-7).to(g.dtype)
                g = zeropower_via_newtonschulz5(g, steps=group["backend_steps"])
                if group.get("weight_decay", 0.0) > 0.0:
                    p.data.mul_(1.0 - group["lr"] * group["weight_decay"])
                p.add_(g.to(p.dtype), alpha=-group["lr"] * max(1, p.size(0) / p.size(1)) ** 0.5)
        return loss


class Optimizers:
    def __init__(self, h, base_model):
        def is_control(name):
            return any(pattern in name for pattern in CONTROL_TENSOR_NAME_PATTERNS)

        named = list(base_model.blocks.named_parameters())
        matrix_params = [p for name, p in named if p.ndim == 2 and not is_control(name)]
        scalar_params = [p for name, p in named if p.ndim < 2 or is_control(name)]
        if base_model.skip_weights.numel() > 0:
            scalar_params.append(base_model.skip_weights)
        if base_model.skip_gates is not None and base_model.skip_gates.numel() > 0:
            scalar_params.append(base_model.skip_gates)
        if base_model.smear is not None:
            scalar_params.append(base_model.smear)
        tok_params = [
            {
                "params": [base_model.tok_emb.weight],
                "lr": h.tied_embed_lr,
                "base_lr": h.tied_embed_lr,
            }
        ]
        if base_model.bigram is not None:
            tok_params.append(
                {
                    "params": [base_model.bigram.table.weight],
                    "lr": h.scalar_lr,
                    "base_lr": h.scalar_lr,
                }
            )
        self.optimizer_tok = torch.optim.AdamW(
            tok_params, betas=(h.beta1, h.beta2), eps=h.adam_eps, weight_decay=h.embed_wd
        )
        self.optimizer_muon = Muon(
            matrix_params,
            lr=h.matrix_lr,
            momentum=h.muon_momentum,
            backend_steps=h.muon_backend_steps,
            weight_decay=h.muon_wd,
            row_normalize=h.muon_row_normalize,
        )
        for group in self.optimizer_muon.param_groups:
            group["base_lr"] = h.matrix_lr
        self.optimizer_scalar = torch.optim.AdamW(
            [{"params": scalar_params, "lr": h.scalar_lr, "base_lr": h.scalar_lr}],
            betas=(h.beta1, h.beta2),
            eps=h.adam_eps,
            weight_decay=h.adam_wd,
        )
        self.optimizers = [self.optimizer_tok, self.optimizer_muon, self.optimizer_scalar]
        if base_model.lm_head is not None:
            self.optimizers.append(torch.optim.Adam([base_model.lm_head.weight], lr=h.head_lr))

    def __iter__(self):
        return iter(self.optimizers)

    def zero_grad_all(self):
        for opt in self.optimizers:
            opt.zero_grad(set_to_none=True)

    def step(self):
        for opt in self.optimizers:
            opt.step()
        self.zero_grad_all()


# --- artifact ---


def collect_hessians(model, loader, h, device):
    hessians, hooks = {}, []

    def make_hook(name):
        def hook_fn(module, inp, out):
            x = inp[0].detach().float().flatten(0, -2)
            if name not in hessians:
                hessians[name] = torch.zeros(x.size(1), x.size(1), device=device)
            hessians[name].addmm_(x.T, x)

        return hook_fn

    for name, module in model.named_modules():
        if isinstance(module, CastedLinear) and classify_param(name + ".weight") in ("mlp", "attn"):
            hooks.append(module.register_forward_hook(make_hook(name + ".weight")))
    model.eval()
    with torch.no_grad():
        for _ in range(h.gptq_calibration_batches):
            x, _ = loader.next_batch(h.train_batch_tokens, h.grad_accum_steps)
            model.forward_logits(x)
    for hook in hooks:
        hook.remove()
    return {name: H.cpu() / h.gptq_calibration_batches for name, H in hessians.items()}


def gptq_quantize_weight(w, H, clip_sigmas=3.0, clip_range=63, block_size=16):
    W = w.float().clone()
    scale = (clip_sigmas * W.std(dim=1) / clip_range).clamp_min(1e-10).to(torch.float16)
    H = H.float().clone()
    H.diagonal().add_(0.01 * H.diagonal().mean() + 1e-6)
    order = torch.argsort(H.diagonal(), descending=True)
    back = torch.argsort(order)
    W, H = W[:, order], H[order][:, order]
    upper = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(H)), upper=True)
    Q = torch.zeros(W.shape, dtype=torch.int8)
    sf = scale.float()
    for i1 in range(0, W.size(1), block_size):
        i2 = min(i1 + block_size, W.size(1))
        errors = torch.zeros(W.size(0), i2 - i1)
        for j in range(i1, i2):
            q = torch.clamp(torch.round(W[:, j] / sf), -clip_range, clip_range)
            Q[:, j] = q.to(torch.int8)
            error = (W[:, j] - q * sf) / upper[j, j]
            errors[:, j - i1] = error
            W[:, j:i2] -= error.unsqueeze(1) * upper[j, j:i2].unsqueeze(0)
        if i2 < W.size(1):
            W[:, i2:] -= errors @ upper[i1:i2, i2:]
    return Q[:, back], scale


def quantize_mixed(state_dict, hessians, h):
    result, meta = {}, {}
    for name, tensor in state_dict.items():
        t = tensor.detach().cpu().contiguous()
        if not t.is_floating_point() or t.numel() <= 256:
            result[name] = t.to(torch.float16) if t.is_floating_point() else t
            meta[name] = "passthrough (float16)"
            continue
        kind = classify_param(name)
        bits = h.embed_bits if kind == "embed" else h.matrix_bits
        sigmas = h.embed_clip_sigmas if kind == "embed" else h.matrix_clip_sigmas
        H = hessians.get(name, torch.eye(t.size(1)))
        q, s = gptq_quantize_weight(t, H, clip_sigmas=sigmas, clip_range=2 ** (bits - 1) - 1)
        result[name + ".q"], result[name + ".scale"] = q, s
        meta[name] = f"gptq (int{bits})"
    categories = collections.defaultdict(set)
    for name, kind in meta.items():
        categories[kind].add(re.sub(r"\.\d+$", "", re.sub(r"blocks\.\d+", "blocks", name)))
    log("Quantized weights:")
    for kind in sorted(categories):
        log(f"  {kind}: {', '.join(sorted(categories[kind]))}")
    return result, meta


def dequantize_mixed(result, meta, template_sd):
    out = {}
    for name, orig in template_sd.items():
        if "passthrough" in meta[name]:
            out[name] = result[name].to(orig.dtype)
        else:
            q, s = result[name + ".q"], result[name + ".scale"]
            out[name] = (q.float() * s.float().view(q.shape[0], 1)).to(orig.dtype)
    return out


def _compress(data, compressor):
    if compressor == "lzma":
        return lzma.compress(data, preset=6)
    if compressor == "brotli":
        import brotli

        return brotli.compress(data, quality=11)
    raise ValueError(f"Unknown compressor: {compressor!r}")


def _decompress(data, compressor):
    if compressor == "lzma":
        return lzma.decompress(data)
    if compressor == "brotli":
        import brotli

        return brotli.decompress(data)
    raise ValueError(f"Unknown compressor: {compressor!r}")


def serialize(h, base_model, code, loader, device):
    code_bytes = len(code.encode("utf-8"))
    log(f"Code size: {code_bytes} bytes", console=h.rank < 0)
    hessians = collect_hessians(base_model, loader, h, device)
    log(f"GPTQ:collected {len(hessians)} Hessians")
    quant_result, quant_meta = quantize_mixed(base_model.state_dict(), hessians, h)
    buffer = io.BytesIO()
    torch.save({"w": quant_result, "m": quant_meta}, buffer)
    return _compress(buffer.getvalue(), h.compressor)


def deserialize(h, blob, device):
    eval_model = GPT(h).to(device)
    state = torch.load(io.BytesIO(_decompress(blob, h.compressor)), map_location="cpu")
    eval_model.load_state_dict(
        dequantize_mixed(state["w"], state["m"], eval_model.state_dict()), strict=True
    )
    return eval_model


# --- scores ---


def _loss_bpb(loss_sum, token_count, byte_count):
    val_loss = (loss_sum / token_count).item()
    return val_loss, val_loss / math.log(2.0) * (token_count.item() / byte_count.item())


def eval_windows(h, device, val_data, model, stride, adapt=None):
    seq_len = h.train_seq_len
    total_tokens = val_data.val_tokens.numel() - 1
    context_size = seq_len - stride
    starts = [ws for ws in range(0, total_tokens, stride) if ws + context_size < total_tokens]
    loss_sum = torch.zeros((), device=device, dtype=torch.float64)
    token_count = torch.zeros((), device=device, dtype=torch.float64)
    byte_count = torch.zeros((), device=device, dtype=torch.float64)
    model.eval()
    logits_fn = torch.compile(model.forward_logits, dynamic=False, fullgraph=True, backend="eager")
    for ws in starts:
        we = min(ws + seq_len, total_tokens)
        chunk = val_data.val_tokens[ws : we + 1]
        x, y = chunk[:-1].unsqueeze(0), chunk[1:].unsqueeze(0)
        with torch.no_grad():
            nll = F.cross_entropy(logits_fn(x)[0].float(), y[0], reduction="none")
        start = 0 if ws == 0 else context_size
        loss_sum += nll[start:].to(torch.float64).sum()
        token_count += float(len(nll) - start)
        sizes = val_data.base_bytes_lut[y[0, start:]].to(torch.float64)
        sizes += (val_data.has_leading_space_lut[y[0, start:]]).to(torch.float64)
        byte_count += sizes.sum()
        if adapt is not None and we % h.ttt_chunk_tokens == 0:
            adapt(x, y)
    if dist.is_available() and dist.is_initialized():
        for value in (loss_sum, token_count, byte_count):
            dist.all_reduce(value, op=dist.ReduceOp.SUM)
    model.train()
    return _loss_bpb(loss_sum, token_count, byte_count)


def eval_val_ttt(h, device, val_data, model):
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(params, lr=h.ttt_lr, momentum=0.9)

    def adapt(x, y):
        for _ in range(h.ttt_epochs):
            optimizer.zero_grad(set_to_none=True)
            model(x, y).backward()
            torch.nn.utils.clip_grad_norm_(params, 1.0)
            optimizer.step()

    return eval_windows(h, device, val_data, model, h.eval_stride, adapt=adapt)


def timed_eval(label, fn, *args, **kwargs):
    t0 = time.perf_counter()
    val_loss, val_bpb = fn(*args, **kwargs)
    elapsed_ms = 1000.0 * (time.perf_counter() - t0)
    log(f"{label} val_loss:{val_loss:.8f} val_bpb:{val_bpb:.8f}")
    log(f"{label} eval_time:{elapsed_ms:.0f}ms", console=h_rank() < 0)
    return val_loss, val_bpb


def h_rank():
    return int(os.environ.get("RANK", "0"))


# --- training ---


def train_model(h, device, val_data):
    base_model = GPT(h).to(device)
    compiled_model = torch.compile(base_model, dynamic=False, backend="eager")
    model = DDP(compiled_model, broadcast_buffers=False) if h.distributed else compiled_model
    log(f"model_params:{sum(p.numel() for p in base_model.parameters())}")
    optimizers = Optimizers(h, base_model)
    loader = ShuffledWindows(h, device)
    max_wallclock_ms = 1000.0 * h.max_wallclock_seconds if h.max_wallclock_seconds > 0 else None

    def training_frac(step, elapsed_ms):
        if max_wallclock_ms is None:
            return step / max(h.iterations, 1)
        return max(step / max(h.iterations, 1), elapsed_ms / max(max_wallclock_ms, 1e-9))

    def lr_mul(frac):
        if h.warmdown_frac <= 0:
            return 1.0
        if frac >= 1.0 - h.warmdown_frac:
            return max((1.0 - frac) / h.warmdown_frac, h.min_lr)
        return 1.0

    def step_fn(step, lr_scale):
        optimizers.zero_grad_all()
        train_loss = torch.zeros((), device=device)
        for micro_step in range(h.grad_accum_steps):
            if h.distributed:
                model.require_backward_grad_sync = micro_step == h.grad_accum_steps - 1
            x, y = loader.next_batch(h.train_batch_tokens, h.grad_accum_steps)
            loss = model(x, y)
            train_loss += loss.detach()
            (loss / h.grad_accum_steps).backward()
        train_loss /= h.grad_accum_steps
        for opt in optimizers:
            for group in opt.param_groups:
                group["lr"] = group.get("base_lr", h.head_lr) * lr_scale
        if h.grad_clip_norm > 0:
            torch.nn.utils.clip_grad_norm_(base_model.parameters(), h.grad_clip_norm)
        optimizers.step()
        return train_loss

    if h.warmup_steps > 0:
        initial = {
            name: tensor.detach().clone() for name, tensor in base_model.state_dict().items()
        }
        states = [copy.deepcopy(opt.state_dict()) for opt in optimizers]
        for warmup_step in range(h.warmup_steps):
            step_fn(warmup_step, 1.0)
            log(f"warmup_step: {warmup_step + 1}/{h.warmup_steps}")
        base_model.load_state_dict(initial, strict=True)
        for opt, state in zip(optimizers, states, strict=True):
            opt.load_state_dict(state)
        loader = ShuffledWindows(h, device)
    ema_state = {n: t.detach().float().clone() for n, t in base_model.state_dict().items()}
    swa_state, swa_count = None, 0
    training_time_ms, t0 = 0.0, time.perf_counter()
    step, stop_after_step = 0, None
    while step < h.iterations and stop_after_step is None:
        elapsed_ms = training_time_ms + 1000.0 * (time.perf_counter() - t0)
        frac = training_frac(step, elapsed_ms)
        scale = lr_mul(frac)
        if h.num_loops > 0 and not base_model.looping_active and frac >= h.enable_looping_at:
            base_model.looping_active = True
            log(f"layer_loop:enabled step:{step} encoder:{base_model.encoder_indices}")
        train_loss = step_fn(step, scale)
        with torch.no_grad():
            for name, t in base_model.state_dict().items():
                ema_state[name].mul_(h.ema_decay).add_(t.detach().float(), alpha=1.0 - h.ema_decay)
        if h.swa_enabled and scale < 0.2 and step % 2 == 0:
            if swa_state is None:
                swa_state = {
                    n: t.detach().cpu().clone() for n, t in base_model.state_dict().items()
                }
                swa_count = 1
                log(f"swa:start step:{step}")
            else:
                for name, t in base_model.state_dict().items():
                    swa_state[name] += t.detach().cpu()
                swa_count += 1
        step += 1
        if h.train_log_every > 0 and (step <= 2 or step % h.train_log_every == 0):
            log(f"{step}/{h.iterations} train_loss: {train_loss.item():.4f}")
        if max_wallclock_ms is not None and 1000.0 * (time.perf_counter() - t0) >= max_wallclock_ms:
            stop_after_step = step
    log("ema:applying EMA weights")
    current = base_model.state_dict()
    average = {name: t.to(dtype=current[name].dtype) for name, t in ema_state.items()}
    if h.swa_enabled and swa_state is not None and swa_count > 1:
        average = {n: (t / swa_count).to(dtype=current[n].dtype) for n, t in swa_state.items()}
    base_model.load_state_dict(average, strict=True)
    return base_model, loader


def train_and_eval(h, device):
    random.seed(h.seed)
    np.random.seed(h.seed)
    torch.manual_seed(h.seed)
    val_data = ValidationData(h, device)
    log(f"val_tokens: {val_data.val_tokens.numel() - 1}")
    base_model, loader = train_model(h, device, val_data)
    timed_eval(
        "pre-quantization post-ema", eval_windows, h, device, val_data, base_model, h.train_seq_len
    )
    blob = serialize(h, base_model, Path(__file__).read_text(encoding="utf-8"), loader, device)
    if h.distributed:
        dist.barrier()
    eval_model = deserialize(h, blob, device)
    if h.num_loops > 0:
        eval_model.looping_active = True
    timed_eval("quantized", eval_windows, h, device, val_data, eval_model, h.train_seq_len)
    if h.sliding_window_enabled:
        timed_eval(
            "quantized_sliding_window", eval_windows, h, device, val_data, eval_model, h.eval_stride
        )
    if h.ttt_enabled:
        timed_eval("quantized_ttt", eval_val_ttt, h, device, val_data, eval_model)


def main():
    h = Hyperparameters()
    if h.world_size <= 0:
        raise ValueError(f"WORLD_SIZE must be positive, got {h.world_size}")
    if 8 % h.world_size != 0:
        raise ValueError(
            f"WORLD_SIZE={h.world_size} must divide 8 so grad_accum_steps stays integral"
        )
    device = torch.device(h.device, h.local_rank) if h.device == "cuda" else torch.device("cpu")
    if h.distributed:
        dist.init_process_group(backend="gloo")
        dist.barrier()
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("high")
    set_logging_hparams(h)
    if h.is_main_process:
        log(100 * "=", console=False)
        log("Hyperparameters:", console=True)
        for k, v in sorted(vars(type(h)).items()):
            if not k.startswith("_"):
                log(f"  {k}: {v}", console=True)
        log(100 * "=", console=False)
        log(f"Running Python {sys.version}", console=False)
        try:
            smi = subprocess.run(["nvidia-smi"], capture_output=True, text=True, check=False).stdout
        except FileNotFoundError:
            smi = "none"
        log(smi, console=False)
    log(f"softcap of 40: {softcapped(torch.tensor([40.0]), h.logit_softcap).item():.4f}")
    train_and_eval(h, device)
    if h.distributed:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
