# -----------------------------------------------------------------------------
# Evaluate


@torch.inference_mode()
def evaluate(h: Hyperparameters, forward, validation: Validation) -> tuple[float, float]:
    """Nats per token and bits per byte over the validation split, all processes together."""
    forward.eval()
    T, tokens = h.train_seq_len, validation.tokens
    rows = (len(tokens) - 1) // T
    first, end = rows * h.rank // h.world_size, rows * (h.rank + 1) // h.world_size
    batch = max(1, h.val_batch_size // (h.world_size * h.grad_accum_steps * T))
    nats, size, count = (torch.zeros((), dtype=torch.float64, device=h.device) for _ in range(3))
    for row in range(first, end, batch):
        stretch = tokens[row * T : min(row + batch, end) * T + 1].to(h.device)
        ids, targets = stretch[:-1].view(-1, T), stretch[1:].view(-1, T)
        with autocast(h):
            nll = forward(ids, targets)
        # @scope h, forward, ids and targets (B, T), nll (B, T), nats: rewrite nll
        # @slot evaluate.nll
        nats += nll.double().sum()
        size += validation.byte_counts(ids, targets).double().sum()
        count += nll.numel()
    sums = torch.stack((nats, size, count))
    if h.world_size > 1:
        dist.all_reduce(sums)
    nats, size, count = sums.tolist()
    return nats / count, nats / math.log(2) / size


def evaluate_stages(h: Hyperparameters, model: GPT, forward, validation: Validation) -> None:
    """Score the model as read back from its artifact, each way that was composed."""
    stages = [(f"final_int8_{CODEC}_roundtrip", evaluate)]
    # @scope h, model, forward, validation, stages (label, function like evaluate): append, rewrite
    # @slot evaluate.stages
    for label, score in stages:
        synchronize(h)
        started = time.perf_counter()
        val_loss, val_bpb = score(h, forward, validation)
        synchronize(h)
        elapsed = 1000 * (time.perf_counter() - started)
        log(h, f"{label} val_loss:{val_loss:.4f} val_bpb:{val_bpb:.4f} eval_time:{elapsed:.0f}ms")
        log(h, f"{label}_exact val_loss:{val_loss:.8f} val_bpb:{val_bpb:.8f}")
        # @scope h, model, label, val_loss (nats per token), val_bpb, elapsed (ms)
        # @slot evaluate.scored
