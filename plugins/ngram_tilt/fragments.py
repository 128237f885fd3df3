# @fill evaluate.functions
def run_starts(keys: Tensor) -> Tensor:
    """For each of keys (n,), sorted, the index of the first that equals it."""
    first = torch.ones_like(keys, dtype=torch.bool)
    first[1:] = keys[1:] != keys[:-1]
    return (torch.arange(len(keys), device=keys.device) * first).cummax(0).values


def ngram_hints(h: Hyperparameters, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """A guess at each of tokens (n,) from those before it, -1 for none, and its log odds (n,).

    As if, position by position, one looked the last tokens up among all contexts so far and then
    counted what followed. It is done by sorting: a context's occurrences side by side, in time.
    """
    hints = torch.full_like(tokens, -1)
    tilts = torch.zeros(len(tokens), device=tokens.device)
    random_odd, keys, counted = random.Random(0), torch.zeros_like(tokens), 0
    where = torch.arange(len(tokens), device=tokens.device)
    for order in range(8, 17, h.ngram_order_stride):
        confidence, least = (0.7, 3) if order <= 10 else (0.6, 2) if order <= 13 else (0.5, 2)
        for k in range(counted + 1, order + 1):
            # 64 bits stand for a context: of 40 million two share them once in 20,000 runs
            keys[k:] += tokens[:-k] * (random_odd.getrandbits(62) | 1)
        counted = order
        where = where[where >= order]
        if len(where) < 2:
            break
        context, by_context = keys[where].sort(stable=True)
        # a context that is there once tells nothing, nor does a longer one that ends in it
        same = context[1:] == context[:-1]
        often = F.pad(same, (1, 0)) | F.pad(same, (0, 1))
        context, where = context[often], where[by_context][often]
        n, start = torch.arange(len(where), device=tokens.device), run_starts(context)
        # how often the token had followed its context, this time counted in
        pairs, by_pair = (context + tokens[where] * (random_odd.getrandbits(62) | 1)).sort(
            stable=True
        )
        times = torch.empty_like(n)
        times[by_pair] = n - run_starts(pairs) + 1
        # the first to follow so often leads; a later context's numbers are above an earlier one's
        record = start + times
        leads = torch.ones_like(n, dtype=torch.bool)
        leads[1:] = record[1:] > record.cummax(0).values[:-1]
        leader = (n * leads).cummax(0).values
        seen, best = n - start, leader[n - 1]  # before this time
        share = times[best] / seen.clamp_min(1)
        sure = (seen >= least) & (share >= confidence)
        hints[where[sure]] = tokens[where[best[sure]]]
        tilts[where[sure]] = h.ngram_base_beta * share[sure]
        where = where.sort().values
    return hints, tilts


def take_hints(h: Hyperparameters, validation: Validation) -> None:
    """From here on windows are scored with hints."""
    synchronize(h)
    started = time.perf_counter()
    validation.hints, validation.tilts = ngram_hints(h, validation.tokens.to(h.device))
    synchronize(h)
    seconds, share = time.perf_counter() - started, (validation.hints >= 0).float().mean().item()
    log(
        h, f"ngram_tilt:hints for {share:.1%} of {len(validation.tokens)} tokens in {seconds:.1f} s"
    )


# @if scores == "last"
def tilted(evaluation):
    """The evaluation with hints, which it takes itself: their time is its own."""

    def last(h: Hyperparameters, forward, validation: Validation) -> tuple[float, float]:
        take_hints(h, validation)
        return evaluation(h, forward, validation)

    return last


# @endif


# @fill layers.methods
def losses_with_hints(self, ids: Tensor, targets: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
    """Loss of each target and of each hint, nats (B, T), for one reading of ids."""
    logits = self.head(self.trunk(ids))
    return self.token_losses(logits, targets), self.token_losses(logits, hints)


# @fill evaluate.stages
model.with_hints = compiled(h, model.losses_with_hints)
# @if scores == "last"
label, evaluation = stages[-1]
stages[-1] = label, tilted(evaluation)
# @else
take_hints(h, validation)
# @endif


# @replace evaluate.window
if getattr(validation, "hints", None) is None:
    with autocast(h):
        nll = forward(ids, targets)
else:
    start = torch.tensor([*batch, *[0] * (len(ids) - len(batch))], device=h.device)
    at = start[:, None] + torch.arange(1, T + 1, device=h.device)  # of each target
    at = at.clamp_max(len(tokens) - 1)
    hints, tilts = validation.hints[at], validation.tilts[at].double()
    with autocast(h):
        nll, of_hint = forward.with_hints(ids, targets, hints.clamp_min(0))
    # a hint's p becomes p e^b / (1 + p (e^b - 1)), another's q q / (1 + p (e^b - 1))
    nll = nll + torch.log1p(torch.exp(-of_hint.double()) * torch.expm1(tilts))
    nll = nll - tilts * (targets == hints)
