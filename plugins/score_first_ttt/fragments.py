# @fill evaluate.functions
def evaluate_score_first(
    h: Hyperparameters, forward, validation: Validation
) -> tuple[float, float]:
    """Nats per token and bits per byte of a model that learns from what it has scored.

    A chunk's windows are those whose first scored target lies in it. The last chunk is not
    trained on: nothing is left to score.
    """
    T, tokens, stage = h.eval_seq_len, validation.tokens, "score_first_ttt"
    model = getattr(forward, "_orig_mod", forward)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    # @scope h, model: add to it what else is to learn
    # @slot score_first.start
    first_blocks = tuple(f"blocks.{n}." for n in range(h.ttt_freeze_blocks))
    still = (p for name, p in model.named_parameters() if name.startswith(first_blocks))
    frozen = [p for p in still if p.requires_grad]
    for p in frozen:
        p.requires_grad_(False)
    params = [p for p in model.parameters() if p.requires_grad]
    # @if optimizer == "sgd"
    optimizer = torch.optim.SGD(params, lr=h.ttt_lr, momentum=h.ttt_momentum)
    # @elif optimizer == "adamw"
    optimizer = torch.optim.AdamW(params, lr=h.ttt_lr, weight_decay=h.ttt_adamw_wd)
    # @endif
    # @if compile
    adapted = forward
    # @else
    adapted = model  # updates run eagerly, scoring compiled
    # @endif
    chunks: dict[int, list[int]] = {}
    for start in window_starts(h, validation):
        # a window at the end may be short
        first_scored = min(start + (T - h.eval_stride if start else 0), len(tokens) - 2)
        chunks.setdefault(first_scored // h.ttt_chunk_tokens, []).append(start)
    last = max(chunks)
    rows = h.ttt_chunk_tokens // T  # sequences of a chunk
    rows = range(rows * h.rank // h.world_size, rows * (h.rank + 1) // h.world_size)
    sums = torch.zeros(3, dtype=torch.float64, device=h.device)
    for chunk in range(last + 1):
        starts = chunks.get(chunk, [])
        first, end = (len(starts) * n // h.world_size for n in (h.rank, h.rank + 1))
        forward.eval()
        with torch.no_grad():
            sums += score_windows(h, forward, validation, starts[first:end])
        if chunk == last:
            break
        for group in optimizer.param_groups:
            group["lr"] = h.ttt_lr * 0.5 * (1 + math.cos(math.pi * chunk / last))
        model.train()
        scored, batch, clip = (
            tokens[chunk * h.ttt_chunk_tokens :],
            h.ttt_batch_seqs,
            h.ttt_grad_clip,
        )
        for _ in range(h.ttt_epochs):
            adapt_to_rows(h, stage, adapted, optimizer, scored, rows, batch, clip, average=model)
        if chunk % 100 == 0:
            log(h, f"{stage} chunk:{chunk + 1}/{last + 1}")
    for p in frozen:
        p.requires_grad_(True)
    # @scope h, model: take away what learned beside its own parameters
    # @slot score_first.end
    model.load_state_dict(before)
    return per_token_and_byte(h, sums)


# @fill evaluate.stages
stages.append((f"final_{QUANTIZER}_score_first_ttt", evaluate_score_first))


# @fill main.setup
rows = h.ttt_chunk_tokens // h.eval_seq_len
if not rows or rows % h.world_size:
    stop(
        f"TTT_CHUNK_TOKENS={h.ttt_chunk_tokens} holds {rows} sequences of {h.eval_seq_len}, "
        f"which {h.world_size} processes cannot share evenly"
    )
