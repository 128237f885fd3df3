# @fill imports.standard
import functools


# @fill modules
def entropy_bytes(model: nn.Module, stored: dict, factor: float) -> tuple[float, int]:
    """What the integers take at each tensor's entropy, rounded to steps `factor` times as wide.

    And how many there are. Rounding to the nearest stands for whatever the solver does.
    """
    bits, count = 0.0, 0
    for name, t in model.state_dict().items():
        if isinstance(stored[name], tuple):
            scale = stored[name][1].to(t.device).float()
            q = torch.round(t.detach().float().view(len(scale), -1) / (factor * scale[:, None]))
            counts = torch.bincount(q.clamp(-127, 127).long().flatten() + 127).double()
            bits += (torch.special.entr(counts / q.numel()).sum() / math.log(2) * q.numel()).item()
            count += q.numel()
    return bits / 8, count


def pruned(h: Hyperparameters, model: nn.Module, stored: dict, room: int) -> tuple:
    """Ones become zero in a 256th of the matrices' rows, or in twice as many, until it fits.

    In the rows of the finest steps, that is: a step's square is what a one costs.
    """
    kinds = parameter_kinds(model)
    names = [name for name in kinds if kinds[name] == "matrix" and isinstance(stored[name], tuple)]
    steps = torch.cat([torch.zeros(1), *(stored[name][1] for name in names)]).sort().values
    for n in range(8, -1, -1):
        finest = steps[len(steps) - 1 >> n]
        for name in names:
            q, scale = stored[name]
            ones = (q.abs() == 1).view(len(scale), -1) & (scale <= finest)[:, None]
            stored = {**stored, name: (q.masked_fill(ones.view_as(q), 0), scale)}
        raw, data = encode(model, stored)
        log(h, f"fit_artifact:{len(data)} bytes, {room} wanted, with ones of 1/{2**n} of rows zero")
        if len(data) <= room:
            return stored, raw, data
    k = h.matrix_clip_sigmas
    stop(f"the model takes {len(data)} bytes, the script leaves {room}; clips: {k:.3g} deviations")


def fitted(h: Hyperparameters, model: nn.Module) -> tuple[dict, bytes, bytes]:
    """The model quantised and encoded; at most twice again, until it fills the window."""
    # @if "gptq" in techniques
    global collect_hessians
    collect_hessians = functools.cache(collect_hessians)  # training data is read once
    # @endif
    started, code = time.perf_counter(), Path(__file__).stat().st_size
    limit, aim = h.fit_artifact_limit, h.fit_artifact_limit - h.fit_artifact_window / 2
    sigmas, factor, best, first = (h.matrix_clip_sigmas, h.embed_clip_sigmas), 1.0, None, None
    for _ in range(3):
        h.matrix_clip_sigmas, h.embed_clip_sigmas = (factor * k for k in sigmas)
        stored = quantize(h, model)
        raw, data = encode(model, stored)
        total, first = len(data) + code, first or stored
        log(h, f"fit_artifact:{total} bytes of {limit} with clips {factor:.5f} times as wide")
        if total <= limit and (best is None or len(data) > len(best[2])):
            best = stored, raw, data
        seconds = time.perf_counter() - started
        if 0 <= limit - total <= h.fit_artifact_window or seconds > h.fit_artifact_seconds:
            break
        beside = total - entropy_bytes(model, first, factor)[0]
        for _ in range(20):
            size, count = entropy_bytes(model, first, factor)
            # twice the step, a bit less
            factor *= 2 ** min(8 * (size + beside - aim) / max(count, 1), 9)
            factor = min(max(factor, h.fit_artifact_narrowest), h.fit_artifact_widest)
            if abs(size + beside - aim) < h.fit_artifact_window / 64:
                break
    if best is None:
        best = pruned(h, model, stored, limit - code)
    return best


# @replace artifact.quantize
stored, raw, data = fitted(h, model)
