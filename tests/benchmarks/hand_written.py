"""The models of two recipes written by hand, in plain PyTorch, to hold the composed ones against.

The equations and the names of parameters are the recipes'; no line is shared with the templates.
Rows of a parameter are taken apart at once, gates of all skips are computed together, and tables
are cast once, since each of these saves operations. Like the composed models they return the loss
of every token: training takes its mean, evaluation by windows some of it, with one compiled graph.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rms(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:])


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the first dimensions of each head, by halves, as far as the tables go."""
    half = cos.size(-1)
    if 2 * half == x.size(-1):
        a, b = x.chunk(2, -1)
        return torch.cat((a * cos + b * sin, b * cos - a * sin), -1)
    a, b, rest = x.split((half, half, x.size(-1) - 2 * half), -1)
    return torch.cat((a * cos + b * sin, b * cos - a * sin, rest), -1)


def drop_own_value(y: Tensor, v: Tensor) -> Tensor:
    """y (B, T, H, d) less its part along the value of its own token, v (B, T, K, d)."""
    B, T, K, d = v.shape
    y = y.view(B, T, K, -1, d)
    own = F.normalize(v, dim=-1).unsqueeze(3)
    return (y - (y * own).sum(-1, keepdim=True) * own).view(B, T, -1, d)


class Linear(nn.Linear):
    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype))


class Attention(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.heads, self.kv_heads = h.num_heads, h.num_kv_heads
        kv_dim = h.model_dim // h.num_heads * h.num_kv_heads
        self.c_q = Linear(h.model_dim, h.model_dim)
        self.c_k = Linear(h.model_dim, kv_dim)
        self.c_v = Linear(h.model_dim, kv_dim)
        self.proj = Linear(h.model_dim, h.model_dim)
        self.q_gain = nn.Parameter(torch.empty(h.num_heads))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, exclusive: bool) -> Tensor:
        B, T, D = x.shape
        q = rotate(rms(self.c_q(x).view(B, T, self.heads, -1)), cos, sin)
        k = rotate(rms(self.c_k(x).view(B, T, self.kv_heads, -1)), cos, sin)
        v = self.c_v(x).view(B, T, self.kv_heads, -1)
        q = q * self.q_gain.to(q.dtype).unsqueeze(-1)
        y = F.scaled_dot_product_attention(
            q.transpose(1, 2),
            k.transpose(1, 2),
            v.transpose(1, 2),
            is_causal=True,
            enable_gqa=self.heads != self.kv_heads,
        ).transpose(1, 2)
        if exclusive:
            y = drop_own_value(y, v)
        return self.proj(y.reshape(B, T, D))


class MLP(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.fc = Linear(h.model_dim, int(h.mlp_mult * h.model_dim))
        self.proj = Linear(int(h.mlp_mult * h.model_dim), h.model_dim)


class Block(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.attn, self.mlp = Attention(h), MLP(h)
        self.attn_scale = nn.Parameter(torch.empty(h.model_dim))
        self.mlp_scale = nn.Parameter(torch.empty(h.model_dim))
        self.resid_mix = nn.Parameter(torch.empty(2, h.model_dim))

    def mixed(self, x: Tensor, x0: Tensor) -> Tensor:
        of_x, of_x0 = self.resid_mix.to(x.dtype).unbind()
        return of_x * x + of_x0 * x0


class Baseline(nn.Module):
    """The challenge's own model. `h` holds the sizes, by the recipe's names."""

    def __init__(self, h):
        super().__init__()
        self.h = h
        self.tok_emb = nn.Embedding(h.vocab_size, h.model_dim)
        self.skip_weights = nn.Parameter(torch.empty(h.num_layers // 2, h.model_dim))
        self.blocks = nn.ModuleList(Block(h) for _ in range(h.num_layers))
        self.make_tables(h.model_dim // h.num_heads)

    def make_tables(self, rotated: int) -> None:
        """Angles of every position, for so many dimensions of a head."""
        frequency = self.h.rope_base ** (-torch.arange(0, rotated, 2) / rotated)
        angle = torch.outer(torch.arange(self.h.train_seq_len), frequency).unsqueeze(1)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def tables(self, T: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        return self.cos[:T].to(dtype), self.sin[:T].to(dtype)

    def losses(self, x: Tensor, targets: Tensor) -> Tensor:
        z = F.linear(rms(x), self.tok_emb.weight.to(x.dtype))
        z = self.h.logit_softcap * torch.tanh(z / self.h.logit_softcap)
        loss = F.cross_entropy(z.float().flatten(0, 1), targets.flatten(), reduction="none")
        return loss.view_as(targets)

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        x = x0 = rms(self.tok_emb(ids))
        cos, sin = self.tables(ids.size(1), x.dtype)
        skip_weights = self.skip_weights.to(x.dtype).unbind()
        skips, half = [], len(self.blocks) // 2
        for n, block in enumerate(self.blocks):
            if n >= half and skips:
                x = x + skip_weights[n - half] * skips.pop()
            x = block.mixed(x, x0)
            x = x + block.attn_scale.to(x.dtype) * block.attn(rms(x), cos, sin, False)
            hidden = F.relu(block.mlp.fc(rms(x))).square()
            x = x + block.mlp_scale.to(x.dtype) * block.mlp.proj(hidden)
            if n < half:
                skips.append(x)
        return self.losses(x, targets)


class Loop45(Baseline):
    """The model of the recipe of 2026-04-05: while `looping`, a stretch of layers runs again."""

    def __init__(self, h):
        super().__init__(h)
        self.looping = False
        runs = h.num_layers + h.num_loops * (h.loop_end + 1 - h.loop_start)
        self.skip_weights = nn.Parameter(torch.empty(runs // 2, h.model_dim))
        self.skip_gates = nn.Parameter(torch.empty(runs // 2, h.model_dim))
        self.make_tables(h.rope_dims)

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        h = self.h
        x = x0 = rms(self.tok_emb(ids))
        cos, sin = self.tables(ids.size(1), x.dtype)
        skip_weights = self.skip_weights.to(x.dtype).unbind()
        skip_gates = torch.sigmoid(self.skip_gates.to(x.dtype)).unbind()
        order = list(range(h.num_layers))
        if self.looping:
            again = order[h.loop_start : h.loop_end + 1] * h.num_loops
            order[h.loop_start : h.loop_start] = again
        skips, half = [], len(order) // 2
        for n, layer in enumerate(order):
            if n >= half and skips:
                x = torch.lerp(skip_weights[n - half] * skips.pop(), x, skip_gates[n - half])
            block, scale = self.blocks[layer], (layer + 1) ** -0.5
            x = block.mixed(x, x0)
            x = x + block.attn_scale.to(x.dtype) * block.attn(rms(x) * scale, cos, sin, True)
            hidden = F.leaky_relu(block.mlp.fc(rms(x) * scale), h.leaky_relu_slope).square()
            x = x + block.mlp_scale.to(x.dtype) * block.mlp.proj(hidden)
            if n < half:
                skips.append(x)
        return self.losses(x, targets)
