# @fill evaluate.functions
def window_starts(h: Hyperparameters, validation: Validation) -> list[int]:
    """Where the windows start: the first scores all its targets, each other only its last ones."""
    context, targets = h.eval_seq_len - h.eval_stride, len(validation.tokens) - 1
    return [n for n in range(0, targets, h.eval_stride) if n == 0 or n + context < targets]


def score_windows(h: Hyperparameters, forward, validation: Validation, starts: list[int]) -> Tensor:
    """Nats, bytes and number of the targets that these windows are there to score, float64 (3,)."""
    T, tokens = h.eval_seq_len, validation.tokens
    sums = torch.zeros(3, dtype=torch.float64, device=h.device)
    for n in range(0, len(starts), h.eval_batch_seqs):
        batch = starts[n : n + h.eval_batch_seqs]
        # the last window may be short, and the last batch: one shape for all is compiled once
        rows = torch.zeros(h.eval_batch_seqs, T + 1, dtype=torch.int64)
        scored = torch.zeros(h.eval_batch_seqs, T, dtype=torch.bool)
        for row, start in enumerate(batch):
            window = tokens[start : start + T + 1]
            rows[row, : len(window)] = window
            scored[row, T - h.eval_stride if start else 0 : len(window) - 1] = True
        ids, targets = (part.contiguous().to(h.device) for part in (rows[:, :-1], rows[:, 1:]))
        scored = scored.to(h.device)
        with autocast(h):
            nll = forward(ids, targets)
        # @scope h, forward, ids, targets, scored and nll (B, T), nats: rewrite nll
        # @slot evaluate.window_nll
        counts = validation.byte_counts(ids, targets)[scored]
        sums += torch.stack((nll[scored].double().sum(), counts.double().sum(), scored.sum()))
    return sums


@torch.inference_mode()
def evaluate_sliding(h: Hyperparameters, forward, validation: Validation) -> tuple[float, float]:
    """Nats per token and bits per byte, each token scored once behind T - stride others or all."""
    forward.eval()
    starts = window_starts(h, validation)
    first, end = (len(starts) * n // h.world_size for n in (h.rank, h.rank + 1))
    sums = score_windows(h, forward, validation, starts[first:end])
    return per_token_and_byte(h, sums)


# @fill evaluate.stages
stages.append((f"final_{QUANTIZER}_sliding_window", evaluate_sliding))


# @fill main.setup
if h.eval_stride > h.eval_seq_len:
    stop(f"EVAL_STRIDE={h.eval_stride} is longer than a window of {h.eval_seq_len} tokens")
