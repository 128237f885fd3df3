# @fill evaluate.functions
def window_starts(h: Hyperparameters, validation: Validation) -> list[int]:
    """Where the windows start."""
    stride, targets = h.eval_stride, len(validation.tokens) - 1
    # @if windows == "once"
    context = h.eval_seq_len - stride
    return [n for n in range(0, targets, stride) if n == 0 or n + context < targets]
    # @elif windows == "repeat_tail"
    return list(range(0, targets, stride))
    # @elif windows == "repeat_tail_full_stride"
    return [n for n in range(0, targets, stride) if n == 0 or n + stride <= targets]
    # @elif windows == "gap"
    T = h.eval_seq_len
    return [0, *range(T - stride, targets - T + 1, stride)]
    # @else
    return list(range(0, targets - h.eval_seq_len + 1, stride))
    # @endif


def first_scored(h: Hyperparameters, validation: Validation, start: int) -> int:
    """The first target that counts of the window at `start`; all behind it count too."""
    # @if windows in ("repeat_tail", "repeat_tail_full_stride")
    end = min(start + h.eval_seq_len, len(validation.tokens) - 1)
    return max(start, end - h.eval_stride) if start else 0
    # @elif windows == "skip_start"
    return start + h.eval_seq_len - h.eval_stride
    # @else
    return start + h.eval_seq_len - h.eval_stride if start else 0
    # @endif


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
            scored[row, first_scored(h, validation, start) - start : len(window) - 1] = True
        ids, targets = (part.contiguous().to(h.device) for part in (rows[:, :-1], rows[:, 1:]))
        scored = scored.to(h.device)
        # @scope h, forward, validation, batch (where windows start), ids and targets (B, T);
        # @scope assign nll (B, T), nats
        # @part evaluate.window
        with autocast(h):
            nll = forward(ids, targets)
        # @endpart
        # @scope h, forward, ids, targets, scored and nll (B, T), nats: rewrite nll
        # @slot evaluate.window_nll
        counts = validation.byte_counts(ids, targets)[scored]
        sums += torch.stack((nll[scored].double().sum(), counts.double().sum(), scored.sum()))
    return sums


@torch.inference_mode()
def evaluate_sliding(h: Hyperparameters, forward, validation: Validation) -> tuple[float, float]:
    """Nats per token and bits per byte, tokens scored behind T - stride others or all."""
    forward.eval()
    starts = window_starts(h, validation)
    first, end = (len(starts) * n // h.world_size for n in (h.rank, h.rank + 1))
    sums = score_windows(h, forward, validation, starts[first:end])
    return per_token_and_byte(h, sums)


# @replace evaluate.rows if replaces == "all"
def evaluate(h: Hyperparameters, forward, validation: Validation) -> tuple[float, float]:
    """Nats per token and bits per byte over the validation split, by windows that overlap."""
    return evaluate_sliding(h, forward, validation)


# @fill evaluate.stages if replaces == "nothing"
stages.append((f"final_{QUANTIZER}_sliding_window", evaluate_sliding))


# @fill evaluate.stages if replaces == "roundtrip"
stages[0] = (stages[0][0], evaluate_sliding)


# @fill main.setup
# @if windows == "gap"
if 2 * h.eval_stride > h.eval_seq_len:
    stop(f"EVAL_STRIDE={h.eval_stride} is more than half a window of {h.eval_seq_len} tokens")
# @else
if h.eval_stride > h.eval_seq_len:
    stop(f"EVAL_STRIDE={h.eval_stride} is longer than a window of {h.eval_seq_len} tokens")
# @endif
