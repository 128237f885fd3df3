# @fill modules
class LowRank:
    """One map of each document from model_dim over lora_rank to `outputs`, which begins as zero."""

    def __init__(self, h: Hyperparameters, documents: int, outputs: int):
        self.inward = torch.empty(documents, h.ttt_lora_rank, h.model_dim, device=h.device)
        self.outward = torch.empty(documents, outputs, h.ttt_lora_rank, device=h.device)
        self.begin()
        self.params = [self.inward.requires_grad_(), self.outward.requires_grad_()]

    @torch.no_grad()
    def begin(self) -> None:
        bound = self.inward.size(-1) ** -0.5
        self.inward.uniform_(-bound, bound)
        self.outward.zero_()

    def __call__(self, x: Tensor) -> Tensor:
        return (x @ self.inward.mT) @ self.outward.mT  # (B, T, outputs)


# @fill attention.init
self.lora = None  # of queries and values, while documents adapt


# @fill attention.values
if self.lora is not None:
    lora_q, lora_v = self.lora
    q, v = q + lora_q(x).view_as(q), v + lora_v(x).view_as(v)


# @fill embed.init
self.lora = None  # of the logits


# @fill head.projected
if self.lora is not None:
    logits = logits + self.lora(x)


# @fill evaluate.functions
def attach_adapters(h: Hyperparameters, model: GPT, documents: int) -> list[LowRank]:
    """Adapters of the head, of all queries and of all values, drawn in this order."""
    layers = [module for module in model.modules() if isinstance(module, CausalSelfAttention)]
    kv_dim = h.num_kv_heads * (h.model_dim // h.num_heads)
    model.lora = LowRank(h, documents, h.vocab_size)
    of_q = [LowRank(h, documents, h.model_dim) for _ in layers]
    of_v = [LowRank(h, documents, kv_dim) for _ in layers]
    for layer, *pair in zip(layers, of_q, of_v):
        layer.lora = pair
    return [model.lora, *of_q, *of_v]


def detach_adapters(model: GPT) -> None:
    for module in model.modules():
        if isinstance(module, GPT | CausalSelfAttention):
            module.lora = None


def documents_of(tokens: Tensor) -> list[tuple[int, int]]:
    """First and last token of each: its BOS, and as its last target the BOS of the next."""
    starts = [0, *(1 + (tokens[1:-1] == 1).nonzero().flatten()).tolist()]
    return list(zip(starts, [*starts[1:], len(tokens) - 1]))


def evaluate_lora(h: Hyperparameters, forward, validation: Validation) -> tuple[float, float]:
    """Nats per token and bits per byte where each document adapts to what of it was scored.

    Documents stand side by side in a batch, none sees another. Updates and scores run eagerly:
    windows grow, and adapters change with the batch.
    """
    model = getattr(forward, "_orig_mod", forward)
    trained = [p for p in model.parameters() if p.requires_grad]
    model.eval().requires_grad_(False)
    # all of the split: whole sequences of eval_seq_len, as elsewhere, would cut the last document
    tokens = torch.cat([read_shard(h, path) for path in shard_files(h, "val")]).to(torch.int64)
    documents = documents_of(tokens)
    first, end = (len(documents) * n // h.world_size for n in (h.rank, h.rank + 1))
    # as long as each other, so that few wait for the longest
    mine = sorted(documents[first:end], key=lambda one: -(-(one[1] - one[0]) // h.ttt_chunk_size))
    sums = torch.zeros(3, dtype=torch.float64, device=h.device)
    adapters = attach_adapters(h, model, h.ttt_batch_size)
    for n in range(0, len(mine), h.ttt_batch_size):
        batch = mine[n : n + h.ttt_batch_size]
        if len(batch) == h.ttt_batch_size:
            for one in adapters:
                one.begin()
        else:
            adapters = attach_adapters(h, model, len(batch))
        sums += score_documents(h, model, validation, adapters, tokens, batch)
        log(h, f"lora_ttt documents:{n + len(batch)}/{len(mine)}")
    detach_adapters(model)
    for p in trained:
        p.requires_grad_(True)
    return per_token_and_byte(h, sums)


def score_documents(
    h: Hyperparameters, model: GPT, validation: Validation, adapters: list[LowRank], tokens, batch
) -> Tensor:
    """Nats, bytes and number of these documents' targets, float64 (3,), chunk after chunk."""
    chunk, longest = h.ttt_chunk_size, h.ttt_eval_seq_len or h.eval_seq_len
    params = [p for one in adapters for p in one.params]
    optimizer = torch.optim.Adam(params, h.ttt_lora_lr, (h.beta1, h.beta2), eps=1e-10)
    sums = torch.zeros(3, dtype=torch.float64, device=h.device)
    most = max(end - start for start, end in batch)
    for begin in range(0, most, chunk):
        T = min(begin + chunk, most, longest)
        rows = torch.zeros(len(batch), T + 1, dtype=torch.int64)  # padded with token 0
        scored = torch.zeros(len(batch), T, dtype=torch.bool)
        for row, (start, end) in enumerate(batch):
            if start + begin < end:
                stop_at = min(start + begin + chunk, end)
                window = tokens[max(start, stop_at - longest) : stop_at + 1]
                rows[row, : len(window)] = window
                scored[row, len(window) - 1 - (stop_at - start - begin) : len(window) - 1] = True
        goes_on = torch.tensor([start + begin + chunk < end for start, end in batch])
        trains = (scored & goes_on[:, None]).to(h.device)
        ids, targets = (part.contiguous().to(h.device) for part in (rows[:, :-1], rows[:, 1:]))
        scored = scored.to(h.device)
        with torch.set_grad_enabled(bool(goes_on.any())), autocast(h):
            nll = model(ids, targets)
        counts = validation.byte_counts(ids, targets)[scored]
        sums += torch.stack(
            (nll.detach()[scored].double().sum(), counts.double().sum(), scored.sum())
        )
        if goes_on.any():  # the mean of a chunk, the sum of the documents
            adapt(h, "lora_ttt", optimizer, nll[trains].sum() / chunk)
    return sums


# @fill evaluate.stages
stages.append((f"final_{QUANTIZER}_lora_ttt", evaluate_lora))


# @fill main.setup
window = h.ttt_eval_seq_len or h.eval_seq_len
if window > max(h.eval_seq_len, h.train_seq_len):
    stop(f"TTT_EVAL_SEQ_LEN={window} is longer than EVAL_SEQ_LEN and TRAIN_SEQ_LEN")
if h.ttt_chunk_size > window:
    stop(f"TTT_CHUNK_SIZE={h.ttt_chunk_size} is more than a window of {window} tokens")
