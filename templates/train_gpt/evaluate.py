# -----------------------------------------------------------------------------
# Evaluate


# @scope offers evaluate(h, forward, validation) -> nats per token, bits per byte
# @part evaluate.rows
@torch.inference_mode()
def evaluate(h: Hyperparameters, forward, validation: Validation) -> tuple[float, float]:
    """Nats per token and bits per byte over the validation split, all processes together."""
    forward.eval()
    T, tokens = h.eval_seq_len, validation.tokens
    rows = (len(tokens) - 1) // T
    first, end = rows * h.rank // h.world_size, rows * (h.rank + 1) // h.world_size
    batch = max(1, h.val_batch_size // (h.world_size * h.grad_accum_steps * T))
    batch = max(1, min(batch, end - first))
    nats, size, count = (torch.zeros((), dtype=torch.float64, device=h.device) for _ in range(3))
    for row in range(first, end, batch):
        filled = min(batch, end - row)
        stretch = tokens[row * T : (row + filled) * T + 1].to(h.device)
        # the last batch may be short: filled up, it is compiled with the others
        stretch = F.pad(stretch, (0, (batch - filled) * T))
        ids, targets = stretch[:-1].view(-1, T), stretch[1:].view(-1, T)
        with autocast(h):
            nll = forward(ids, targets)[:filled]
        ids, targets = ids[:filled], targets[:filled]
        # @scope h, forward, ids and targets (B, T), nll (B, T), nats: rewrite nll
        # @slot evaluate.nll
        nats += nll.double().sum()
        size += validation.byte_counts(ids, targets).double().sum()
        count += nll.numel()
    return per_token_and_byte(h, torch.stack((nats, size, count)))


# @endpart


def per_token_and_byte(h: Hyperparameters, sums: Tensor) -> tuple[float, float]:
    """Nats per token and bits per byte from this process's sums of nats, bytes and tokens."""
    if h.world_size > 1:
        dist.all_reduce(sums)
    nats, size, count = sums.tolist()
    return nats / count, nats / math.log(2) / size


# @scope functions like evaluate(h, forward, validation) -> nats per token, bits per byte
# @slot evaluate.functions


def score(h: Hyperparameters, label: str, evaluation, model: GPT, forward, validation) -> None:
    """One evaluation, timed and logged under its label."""
    synchronize(h)
    started = time.perf_counter()
    val_loss, val_bpb = evaluation(h, forward, validation)
    synchronize(h)
    elapsed = 1000 * (time.perf_counter() - started)
    log(h, f"{label} val_loss:{val_loss:.4f} val_bpb:{val_bpb:.4f} eval_time:{elapsed:.0f}ms")
    log(h, f"{label}_exact val_loss:{val_loss:.8f} val_bpb:{val_bpb:.8f}")
    # @scope h, model, label, val_loss (nats per token), val_bpb, elapsed (ms)
    # @slot evaluate.scored


def evaluate_stages(h: Hyperparameters, model: GPT, forward, validation: Validation) -> None:
    """Score the model as read back from its artifact, each way that was composed."""
    stages = [(f"final_{QUANTIZER}_{CODEC}_roundtrip", evaluate)]
    # @scope h, model, forward, validation, stages (label, function like evaluate): append, rewrite
    # @slot evaluate.stages
    for label, evaluation in stages:
        score(h, label, evaluation, model, forward, validation)
