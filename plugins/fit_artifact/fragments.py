# @fill modules
CLIPS = [1.0]  # how many times as wide


# @fill sdclip.sigmas
sigmas *= CLIPS[0]


# @fill modules
def entropy_bytes(model: nn.Module, stored: dict) -> float:
    """What the integers take at each tensor's entropy, rounded to steps as the clips make them.

    Rounding to the nearest stands for whatever the solver does.
    """
    size = 0.0
    for name, t in model.state_dict().items():
        if isinstance(stored[name], tuple):
            scale = stored[name][1].to(t.device).float()
            q = torch.round(t.view(len(scale), -1).float() / (CLIPS[0] * scale[:, None]))
            p = q.clamp(-128, 127).histc(256, -128, 128) / q.numel()
            size -= (p * p.log2()).nansum().item() * q.numel() / 8
    return size


def pruned(h: Hyperparameters, model: nn.Module, stored: dict, room: int) -> tuple:
    """Ones become zero in a 256th of the matrices' rows, or in twice as many, until it fits.

    In the rows of the finest steps, that is: a step's square is what a one costs.
    """
    kinds = parameter_kinds(model)
    rows = {
        name: value
        for name, value in stored.items()
        if kinds.get(name) == "matrix" and isinstance(value, tuple)
    }
    steps = torch.cat([torch.zeros(1), *(scale for _, scale in rows.values())]).sort().values
    for n in range(8, -1, -1):
        for name, (q, scale) in rows.items():
            fine = (scale <= steps[len(steps) - 1 >> n])[:, None]
            ones = (q.abs() == 1).view(len(scale), -1) & fine
            stored = {**stored, name: (q.masked_fill(ones.view_as(q), 0), scale)}
        raw, data = encode(model, stored)
        log(h, f"fit_artifact:{len(data)} bytes of {room}, ones of 1/{2**n} of rows zero")
        if len(data) <= room:
            return stored, raw, data
    stop(f"the model takes {len(data)} bytes of {room}, clips {CLIPS[0]:.5f} times as wide")


def fitted(h: Hyperparameters, model: nn.Module) -> tuple[dict, bytes, bytes]:
    """The model quantised and encoded; at most twice again, until it fills the window."""
    room = h.fit_artifact_limit - Path(__file__).stat().st_size
    started, best, first = time.perf_counter(), None, None
    for _ in range(3):
        stored = quantize(h, model)
        raw, data = encode(model, stored)
        first, left = first or stored, room - len(data)
        log(h, f"fit_artifact:{len(data)} bytes of {room}, clips {CLIPS[0]:.5f} times as wide")
        if left >= 0 and (not best or len(data) > len(best[2])):
            best = stored, raw, data
        seconds = time.perf_counter() - started
        if 0 <= left <= h.fit_artifact_window or seconds > h.fit_artifact_seconds:
            break
        aim = entropy_bytes(model, first) + left - h.fit_artifact_window / 2
        count = sum(p.numel() for p in model.parameters())
        for _ in range(9):  # twice the step, a bit less
            factor = CLIPS[0] * 2 ** (8 * (entropy_bytes(model, first) - aim) / count)
            CLIPS[0] = min(max(factor, h.fit_artifact_narrowest), h.fit_artifact_widest)
    return best or pruned(h, model, stored, room)


# @replace artifact.quantize
stored, raw, data = fitted(h, model)
