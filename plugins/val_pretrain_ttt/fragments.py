# @fill evaluate.functions
def train_on_validation(h: Hyperparameters, forward, validation: Validation) -> None:
    """Epochs over the text that is going to be scored; never legal in a submission."""
    T, tokens, stage = h.eval_seq_len, validation.tokens, "val_pretrain_ttt"
    model = getattr(forward, "_orig_mod", forward)
    # @if processes == "average_at_end"
    mine, average = range((len(tokens) - 1) // T), None
    # @else
    rows = (len(tokens) - 1) // T // h.world_size  # of each process; a remainder is left out
    if not rows:
        stop(f"{h.world_size} processes need as many validation sequences of {T} tokens")
    mine = range(h.rank * rows, (h.rank + 1) * rows)
    # @if processes == "all_reduce"
    average = model
    # @else
    average = None
    # @endif
    # @endif
    first_blocks = tuple(f"blocks.{n}." for n in range(h.ttt_freeze_blocks))
    names = [name for name, _ in model.named_parameters()]
    still = {name for name in names if name.startswith(first_blocks)}
    # @if freeze == "blocks_and_embedding"
    still.add("tok_emb.weight")
    # @elif freeze == "block_scalars"
    still -= {name for name, kind in parameter_kinds(model).items() if kind == "matrix"}
    # @endif
    # @if mlp_only
    still |= {name for name in names if ".mlp." not in name}
    # @endif
    frozen = [p for name, p in model.named_parameters() if name in still and p.requires_grad]
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
    adapted = model
    # @endif
    adapted.train()
    started, batch, clip = time.perf_counter(), h.ttt_batch_seqs, h.ttt_grad_clip
    for epoch in range(h.ttt_epochs):
        # @if cosine_decay
        falling = 0.5 * (1 + math.cos(math.pi * epoch / h.ttt_epochs))
        for group in optimizer.param_groups:
            group["lr"] = h.ttt_lr * (0.1 + 0.9 * falling)
        # @endif
        # @if batches_overlap
        for row in mine[::batch]:
            rows = range(row, min(row + batch + 1, mine.stop))
            adapt_to_rows(h, stage, adapted, optimizer, tokens, rows, batch + 1, clip, average)
        # @else
        adapt_to_rows(h, stage, adapted, optimizer, tokens, mine, batch, clip, average)
        # @endif
        synchronize(h)
        seconds = time.perf_counter() - started
        log(h, f"{stage} epoch:{epoch + 1}/{h.ttt_epochs} time:{seconds:.1f}s")
    for p in frozen:
        p.requires_grad_(True)
    # @if processes != "all_reduce"
    if h.world_size > 1:
        for p in params:
            # @if processes == "rank_0_only"
            dist.broadcast(p.data, 0)
            # @else
            dist.all_reduce(p.data)
            p.data /= h.world_size
            # @endif
    # @endif


# @fill evaluate.functions if when == "extra_score"
def after_training(evaluation):
    """This evaluation of a model that has trained on all it is scored on; the weights go back."""

    def evaluate_pretrained(h: Hyperparameters, forward, validation: Validation):
        model = getattr(forward, "_orig_mod", forward)
        before = {name: t.clone() for name, t in model.state_dict().items()}
        train_on_validation(h, forward, validation)
        scores = evaluation(h, forward, validation)
        model.load_state_dict(before)
        return scores

    return evaluate_pretrained


# @fill weights.final if when == "before_quantisation"
train_on_validation(h, forward, validation)


# @fill evaluate.stages if when == "before_scoring"
train_on_validation(h, forward, validation)


# @fill evaluate.stages if when == "extra_score"
stages.append((f"final_{QUANTIZER}_val_pretrain_ttt", after_training(stages[-1][1])))
