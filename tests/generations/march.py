"""The idioms of March: one GPU per process, NCCL, DDP, a compiled model, int8 and zlib."""

import glob
import io
import math
import os
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import sentencepiece as spm
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel as DDP


class Hyperparameters:
    data_path = os.environ.get("DATA_PATH", "./data/datasets/fineweb10B_sp1024")
    tokenizer_path = os.environ.get("TOKENIZER_PATH", "./data/tokenizers/fineweb_1024_bpe.model")
    vocab_size = int(os.environ.get("VOCAB_SIZE", 1024))
    num_layers = int(os.environ.get("NUM_LAYERS", 2))
    model_dim = int(os.environ.get("MODEL_DIM", 512))
    num_heads = int(os.environ.get("NUM_HEADS", 8))
    num_kv_heads = int(os.environ.get("NUM_KV_HEADS", 4))
    seq_len = int(os.environ.get("TRAIN_SEQ_LEN", 1024))
    batch_tokens = int(os.environ.get("TRAIN_BATCH_TOKENS", 524288))
    iterations = int(os.environ.get("ITERATIONS", 20000))
    lr = float(os.environ.get("MATRIX_LR", 0.04))


def read_shard(path):
    return torch.from_numpy(np.fromfile(path, "<u2", offset=1024).astype(np.int64))


class Attention(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.heads, self.kv_heads = h.num_heads, h.num_kv_heads
        self.head_dim = h.model_dim // h.num_heads
        self.qkv = nn.Linear(
            h.model_dim, (self.heads + 2 * self.kv_heads) * self.head_dim, bias=False
        )
        self.proj = nn.Linear(h.model_dim, h.model_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape
        q, k, v = (
            self.qkv(x)
            .view(B, T, -1, self.head_dim)
            .transpose(1, 2)
            .split([self.heads, self.kv_heads, self.kv_heads], dim=1)
        )
        q, k = F.rms_norm(q, (self.head_dim,)), F.rms_norm(k, (self.head_dim,))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.proj(y.transpose(1, 2).reshape(B, T, D))


class GPT(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.tok_emb = nn.Embedding(h.vocab_size, h.model_dim)
        self.blocks = nn.ModuleList(Attention(h) for _ in range(h.num_layers))

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        x = self.tok_emb(ids)
        for block in self.blocks:
            x = x + block(F.rms_norm(x, (x.size(-1),)))
        logits = F.linear(F.rms_norm(x, (x.size(-1),)), self.tok_emb.weight)
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


def eval_val(h, model, device, tokens, base_bytes) -> tuple[float, float]:
    total = torch.zeros((), device=device, dtype=torch.float64)
    count = torch.zeros((), device=device, dtype=torch.float64)
    size = torch.zeros((), device=device, dtype=torch.float64)
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(tokens) - h.seq_len, 8 * h.seq_len):
            local = tokens[start : start + 8 * h.seq_len + 1]
            local = local.to(device=device, dtype=torch.int64, non_blocking=True)
            n = (local.numel() - 1) // h.seq_len * h.seq_len
            x, y = local[:n].view(-1, h.seq_len), local[1 : n + 1].view(-1, h.seq_len)
            with torch.autocast(device_type="cuda", dtype=torch.bfloat16, enabled=True):
                loss = model(x, y).detach()
            total, count = total + loss.double() * y.numel(), count + y.numel()
            size += base_bytes[y].sum()
    if dist.is_available() and dist.is_initialized():
        for one in (total, count, size):
            dist.all_reduce(one, op=dist.ReduceOp.SUM)
    model.train()
    return (total / count).item(), (total / size).item() / math.log(2)


def main():
    h = Hyperparameters()
    code = Path(__file__).read_text()
    distributed = "RANK" in os.environ and "WORLD_SIZE" in os.environ
    rank, local_rank = int(os.environ.get("RANK", 0)), int(os.environ.get("LOCAL_RANK", 0))
    if not torch.cuda.is_available():
        raise RuntimeError("CUDA is required")
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    if distributed:
        dist.init_process_group(backend="nccl", device_id=device)
        dist.barrier()
    torch.backends.cuda.matmul.allow_tf32 = True
    from torch.backends.cuda import enable_cudnn_sdp, enable_flash_sdp

    enable_cudnn_sdp(False), enable_flash_sdp(True)
    print(subprocess.run(["nvidia-smi"], stdout=subprocess.PIPE, text=True, check=False).stdout)
    torch.manual_seed(1337), torch.cuda.manual_seed_all(1337)
    sp = spm.SentencePieceProcessor(model_file=h.tokenizer_path)
    lengths = [max(1, len(sp.id_to_piece(n).encode())) for n in range(h.vocab_size)]
    base_bytes = torch.tensor(lengths, dtype=torch.int16, device=device)
    val = read_shard(sorted(glob.glob(f"{h.data_path}/fineweb_val_*.bin"))[0])
    train = read_shard(sorted(glob.glob(f"{h.data_path}/fineweb_train_*.bin"))[0])
    base_model = GPT(h).to(device).bfloat16()
    compiled_model = torch.compile(base_model, dynamic=False, fullgraph=True)
    model = DDP(compiled_model, device_ids=[local_rank], broadcast_buffers=False)
    optimizer = torch.optim.Adam(base_model.parameters(), lr=h.lr, betas=(0.9, 0.95), fused=True)
    torch.cuda.synchronize()
    started, at = time.perf_counter(), 0
    for step in range(h.iterations):
        optimizer.zero_grad(set_to_none=True)
        for micro in range(2):
            model.require_backward_grad_sync = micro == 1
            n = h.batch_tokens // 2 // h.seq_len * h.seq_len
            local = train[at : at + n + 1].to(device, non_blocking=True)
            at += n
            x, y = local[:-1].view(-1, h.seq_len), local[1:].view(-1, h.seq_len)
            with torch.autocast(device_type="cuda", dtype=torch.bfloat16):
                loss = model(x, y)
            (loss * 0.5).backward()
        optimizer.step()
        took = 1000 * (time.perf_counter() - started)
        print(
            f"step:{step + 1}/{h.iterations} train_loss:{loss.item():.4f} train_time:{took:.0f}ms"
        )
    print(f"peak memory allocated: {torch.cuda.max_memory_allocated() // 1024 // 1024} MiB")
    quantized = {}
    for name, t in base_model.state_dict().items():
        scale = t.float().abs().amax(dim=-1, keepdim=True).clamp_min(1e-9) / 127
        q = torch.round(t.float().cpu() / scale).clamp(-127, 127).to(torch.int8)
        quantized[name] = (q, scale.half())
    buffer = io.BytesIO()
    torch.save(quantized, buffer)
    if rank == 0:
        Path("final_model.int8.ptz").write_bytes(zlib.compress(buffer.getvalue(), 9))
        size = os.path.getsize("final_model.int8.ptz")
        print(f"Total submission size: {size + len(code.encode())} bytes")
    if distributed:
        dist.barrier()
    blob = zlib.decompress(Path("final_model.int8.ptz").read_bytes())
    state = torch.load(io.BytesIO(blob), map_location="cpu")
    base_model.load_state_dict({k: (q.float() * s.float()) for k, (q, s) in state.items()})
    val_loss, val_bpb = eval_val(h, model, device, val, base_bytes)
    print(f"final_int8_zlib_roundtrip val_loss:{val_loss:.4f} val_bpb:{val_bpb:.4f}")
    if distributed:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
    sys.exit(0)
