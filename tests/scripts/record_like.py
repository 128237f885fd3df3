"""Idioms of public record scripts: class-level hyperparameters, state dicts, a custom op."""

import glob
import io
import os
import subprocess
import sys
import uuid

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn


class Hyperparameters:
    data_path = os.environ.get("DATA_PATH", "./data")
    train_files = os.path.join(data_path, "train_*.bin")
    run_id = os.environ.get("RUN_ID", "fixed")
    seed = int(os.environ.get("SEED", 1337))
    num_layers = int(os.environ.get("NUM_LAYERS", 2))
    model_dim = int(os.environ.get("MODEL_DIM", 16))
    num_heads = int(os.environ.get("NUM_HEADS", 2))
    mlp_mult = float(os.environ.get("MLP_MULT", 2.0))
    matrix_lr = float(os.environ.get("MATRIX_LR", 0.05))
    logit_softcap = float(os.environ.get("LOGIT_SOFTCAP", 30.0))
    use_bias = bool(int(os.environ.get("USE_BIAS", "0")))


CONTROL_PATTERNS = tuple(
    pattern
    for pattern in os.environ.get("CONTROL_PATTERNS", "attn_scale,mlp_scale").split(",")
    if pattern
)


@torch.library.custom_op("tests::scaled_add", mutates_args=())
def scaled_add(x: Tensor, y: Tensor, scale: float) -> Tensor:
    return x + scale * y


@scaled_add.register_fake
def _(x: Tensor, y: Tensor, scale: float) -> Tensor:
    return torch.empty_like(x)


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.save_for_backward(x)
        ctx.factor = factor
        return factor * x.square()

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return 2 * ctx.factor * x * grad_output, None


class CastedLinear(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype), self.bias)


class Attention(nn.Module):
    def __init__(self, dim: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = dim // num_heads
        self.c_qkv = CastedLinear(dim, 3 * dim, bias=False)
        self.proj = CastedLinear(dim, dim, bias=False)
        self.register_buffer("steps_seen", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor, *, causal: bool = True) -> Tensor:
        batch, length, dim = x.shape
        q, k, v = self.c_qkv(x).view(batch, length, 3, self.num_heads, self.head_dim).unbind(2)
        y = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=causal
        )
        self.steps_seen += 1
        return self.proj(y.transpose(1, 2).reshape(batch, length, dim))


class Block(nn.Module):
    def __init__(self, dim, num_heads, mlp_mult, layer_index=0):
        super().__init__()
        self.attn = Attention(dim, num_heads)
        self.fc = CastedLinear(dim, int(dim * mlp_mult), bias=False)
        self.out = CastedLinear(int(dim * mlp_mult), dim, bias=False)
        self.attn_scale = nn.Parameter(torch.ones(dim))
        self.mlp_scale = nn.Parameter(torch.full((dim,), 1.0 / (layer_index + 1)))
        self.layer_index = layer_index

    def feed_forward(self, hidden):
        return self.out(Square.apply(F.relu(self.fc(hidden)), 1.0))

    def forward(self, x):
        x = x + self.attn_scale * self.attn(x, causal=True)
        return x + self.mlp_scale * self.feed_forward(x)


class GPT(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.softcap_value = h.logit_softcap
        self.tok_emb = nn.Embedding(32, h.model_dim)
        self.blocks = nn.ModuleList(
            [
                Block(h.model_dim, h.num_heads, h.mlp_mult, layer_index=n)
                for n in range(h.num_layers)
            ]
        )
        self.lm_head = CastedLinear(h.model_dim, 32, bias=h.use_bias)

    def forward(self, input_ids: Tensor, target_ids: Tensor | None = None) -> Tensor:
        x = self.tok_emb(input_ids)
        for block in self.blocks:
            x = block(x)
        logits = self.softcap_value * torch.tanh(self.lm_head(x) / self.softcap_value)
        if target_ids is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1), target_ids.flatten())


class PlainSGD(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1, momentum=0.9):
        super().__init__(params, dict(lr=lr, momentum=momentum))
        self.update_count = 0

    @torch.no_grad()
    def step(self, closure=None):
        self.update_count += 1
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                buffer = state["momentum_buffer"]
                buffer.mul_(group["momentum"]).add_(p.grad)
                p.add_(buffer, alpha=-group["lr"])


def log_hyperparameters(h, console=print):
    for key, value in sorted(vars(type(h)).items()):
        if not key.startswith("_"):
            console(f"  {key}: {value}")


def classify(name: str) -> str:
    if "tok_emb" in name or "lm_head" in name:
        return "embed"
    if any(pattern in name for pattern in CONTROL_PATTERNS):
        return "control"
    return "attn" if ".attn." in name else "mlp"


def main():
    h = Hyperparameters()
    torch.manual_seed(h.seed)
    torch._dynamo.config.cache_size_limit = 32
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size > 1:
        dist.init_process_group("gloo")
    log_hyperparameters(h)
    print(uuid.UUID(int=h.seed), len(glob.glob(h.train_files)), h.run_id)
    print(
        subprocess.run([sys.executable, "-c", "print(1+1)"], capture_output=True, text=True).stdout
    )
    print(scaled_add(torch.ones(2), torch.ones(2), 0.5).tolist())
    model = GPT(h)
    optimizer = PlainSGD(model.parameters(), lr=h.matrix_lr)
    ids = torch.randint(0, 32, (2, 9))
    for step in range(4):
        loss = model(ids[:, :-1], target_ids=ids[:, 1:])
        model.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        print(f"step:{step} train_loss:{loss.item():.5f} updates:{optimizer.update_count}")
    kinds: dict[str, list[str]] = {}
    for name, tensor in model.state_dict().items():
        kinds.setdefault(classify(name), []).append(f"{name}{tuple(tensor.shape)}")
    for kind, names in sorted(kinds.items()):
        print(kind, *names)
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    again = GPT(h)
    again.load_state_dict(torch.load(buffer, weights_only=True))
    print(torch.equal(model(ids), again(input_ids=ids)), again.blocks[1].layer_index)


if __name__ == "__main__":
    main()
