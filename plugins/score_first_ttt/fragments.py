# @fill evaluate.functions
def evaluate_score_first(
    h: Hyperparameters, forward, validation: Validation
) -> tuple[float, float]:
    """Nats per token and bits per byte of a model that learns from what it has scored.

    A chunk's windows are those whose first scored target lies in it. The last chunk is not
    trained on: nothing is left to score.
    """
    model = getattr(forward, "_orig_mod", forward)  # updates run eagerly, scoring compiled
    frozen = tuple(f"blocks.{n}." for n in range(h.ttt_freeze_blocks))
    params = [p for name, p in model.named_parameters() if not name.startswith(frozen)]
    before = {name: t.clone() for name, t in model.state_dict().items()}
    optimizer = torch.optim.SGD(params, lr=h.ttt_lr, momentum=h.ttt_momentum)
    chunks: dict[int, list[int]] = {}
    for start in window_starts(h, validation):
        first_scored = start + (h.train_seq_len - h.eval_stride if start else 0)
        chunks.setdefault(first_scored // h.ttt_chunk_tokens, []).append(start)
    count = max(chunks) + 1
    sums = torch.zeros(3, dtype=torch.float64, device=h.device)
    for chunk in range(count):
        starts = chunks.get(chunk, [])
        first, end = (len(starts) * n // h.world_size for n in (h.rank, h.rank + 1))
        forward.eval()
        with torch.no_grad():
            sums += score_windows(h, forward, validation, starts[first:end])
        if chunk < count - 1:
            for group in optimizer.param_groups:
                group["lr"] = h.ttt_lr * 0.5 * (1 + math.cos(math.pi * chunk / (count - 1)))
            adapt_to_chunk(h, model, params, optimizer, validation, chunk)
    model.load_state_dict(before)
    return per_token_and_byte(h, sums)


def adapt_to_chunk(h: Hyperparameters, model, params, optimizer, validation, chunk: int) -> None:
    """Epochs of SGD over a chunk's own sequences, shared out to processes, gradients averaged."""
    stage, optimizers = "score_first_ttt", [optimizer]
    T, tokens = h.train_seq_len, validation.tokens
    begin = chunk * h.ttt_chunk_tokens
    rows = (min(begin + h.ttt_chunk_tokens, len(tokens) - 1) - begin) // T
    first, end = (rows * n // h.world_size for n in (h.rank, h.rank + 1))
    model.train()
    for _ in range(h.ttt_epochs):
        for row in range(first, end, h.ttt_batch_seqs):
            last = min(row + h.ttt_batch_seqs, end)
            stretch = tokens[begin + row * T : begin + last * T + 1].to(h.device)
            ids, targets = stretch[:-1].view(-1, T), stretch[1:].view(-1, T)
            optimizer.zero_grad(set_to_none=True)
            with autocast(h):
                loss = model(ids, targets).mean()
            loss.backward()
            average_gradients(h, model)
            nn.utils.clip_grad_norm_(params, h.ttt_grad_clip)
            optimizer.step()
            # @scope h, model, stage, loss () of this process, optimizers, of one test-time update
            # @slot adapt.after_step


# @fill evaluate.stages
stages.append((f"final_{QUANTIZER}_score_first_ttt", evaluate_score_first))
