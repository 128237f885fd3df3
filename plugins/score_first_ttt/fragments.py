# @fill evaluate.functions
def evaluate_score_first(
    h: Hyperparameters, forward, validation: Validation
) -> tuple[float, float]:
    """Nats per token and bits per byte of a model that learns from what it has scored.

    A chunk's windows are those whose first scored target lies in it. The last chunk is not
    trained on: nothing is left to score.
    """
    T, tokens, stage = h.eval_seq_len, validation.tokens, "score_first_ttt"
    rows = h.ttt_chunk_tokens // T  # sequences of a chunk
    model = getattr(forward, "_orig_mod", forward)  # updates run eagerly, scoring compiled
    before = {name: t.clone() for name, t in model.state_dict().items()}
    model.blocks[: h.ttt_freeze_blocks].requires_grad_(False)
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(params, lr=h.ttt_lr, momentum=h.ttt_momentum)
    chunks: dict[int, list[int]] = {}
    for start in window_starts(h, validation):
        first_scored = start + (T - h.eval_stride if start else 0)
        chunks.setdefault(first_scored // h.ttt_chunk_tokens, []).append(start)
    last = max(chunks)
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
        begin = chunk * h.ttt_chunk_tokens
        first, end = (rows * n // h.world_size for n in (h.rank, h.rank + 1))
        for _ in range(h.ttt_epochs):
            for row in range(first, end, h.ttt_batch_seqs):
                last_row = min(row + h.ttt_batch_seqs, end)
                stretch = tokens[begin + row * T : begin + last_row * T + 1].to(h.device)
                ids, targets = stretch[:-1].view(-1, T), stretch[1:].view(-1, T)
                adapt(h, stage, model, optimizer, ids, targets, h.ttt_grad_clip)
        if chunk % 100 == 0:
            log(h, f"{stage} chunk:{chunk + 1}/{last + 1}")
    optimizer.zero_grad(set_to_none=True)
    model.blocks[: h.ttt_freeze_blocks].requires_grad_(True)
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
