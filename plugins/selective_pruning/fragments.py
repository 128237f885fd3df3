# @fill modules
def without_cheapest(stored: dict, rows: list[str], count: int) -> dict:
    """`stored` with the first `count` weights of +-1 set to zero, the finest steps first.

    To zero a weight of one step costs the square of that step, and no other weight costs less.
    """
    ones = {name: (stored[name][0].abs() == 1).flatten().nonzero()[:, 0] for name in rows}
    steps = [
        scale.float().repeat_interleave(q.numel() // len(scale))[ones[name]]
        for name, (q, scale) in ((name, stored[name]) for name in rows)
    ]
    order = torch.cat(steps).argsort(stable=True)[:count]
    chosen = torch.zeros(sum(map(len, steps)), dtype=torch.bool).index_fill_(0, order, True)
    for name, taken in zip(rows, chosen.split([len(one) for one in steps])):
        q, scale = stored[name]
        q = q.flatten().index_fill(0, ones[name][taken], 0).view_as(q)
        stored = {**stored, name: (q, scale)}
    return stored


def prune_to_fit(h: Hyperparameters, model: nn.Module, stored: dict, kinds: dict[str, str]) -> dict:
    """Zeros among the matrices' integers, as many as selective_pruning_target_mb takes."""
    rows = [
        name for name in stored if kinds.get(name) == "matrix" and isinstance(stored[name], tuple)
    ]
    most = sum((stored[name][0].abs() == 1).sum().item() for name in rows)

    def excess(count: int) -> int:
        data = encode(model, without_cheapest(stored, rows, count))[1]
        return (
            len(data) + Path(__file__).stat().st_size - int(h.selective_pruning_target_mb * 2**20)
        )

    count, over = 0, excess(0) if most else 0
    if over > 0:
        count = min(most, 8 * over)  # a byte or less for each
        # @if search == "fewest"
        low = 0
        while count < most and excess(count) > 0:
            low, count = count, min(most, 2 * count)
        while count - low > max(1, count // 16):  # an artifact may take a minute to compress
            middle = (low + count) // 2
            low, count = (middle, count) if excess(middle) > 0 else (low, middle)
        # @endif
    log(h, f"selective_pruning:{max(over, 0)} bytes over, {count} of {most} ones zeroed")
    return without_cheapest(stored, rows, count) if count else stored


# @fill quantize.after
stored = prune_to_fit(h, model, stored, kinds)
