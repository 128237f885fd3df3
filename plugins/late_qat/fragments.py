# @fill modules
def on_grid(w: Tensor, bits: int) -> Tensor:
    """w (r, c), float32, as whole multiples of each row's step."""
    # @if grid == "quantile"
    top = 2 ** (bits - 1) - 1
    # the exporter of PR #65 has a floor of 1 / 31 under this step
    step = torch.quantile(w.abs(), 0.9999984, dim=1, keepdim=True).clamp_min(1e-8) / top
    return torch.round(w / step).clamp(-top, top) * step
    # @elif grid == "every_fourth"
    largest, every = w.abs().amax(1, keepdim=True), 2 ** (8 - bits)
    step = (largest / 127).clamp_min(1e-12)
    return (torch.round(torch.round(w / step) / every) * every).clamp(-128, 128 - every) * step
    # @else
    top, largest = 2 ** (bits - 1) - 1, w.abs().amax(1, keepdim=True)
    # @if grid == "row_max_floor"
    step, least = (largest / top).clamp_min(1 / top), -top - 1
    # @elif grid == "row_max"
    step, least = (largest / top).clamp_min(1e-12), -top - 1
    # @else
    step, least = largest.clamp_min(1 / top) / top, -top
    # @endif
    return torch.round(w / step).clamp(least, top) * step
    # @endif


def round_matrices(model: nn.Module) -> None:
    """From here on training reads matrices rounded, also where it has been compiled."""
    for module in model.modules():
        if isinstance(module, CastedLinear) and module.qat is not None:
            module.qat.fill_(1)


# @fill linear.init
self.register_buffer("qat", None, persistent=False)


# @fill init.after
for path, linear in self.named_modules():
    # @if matrices == "blocks"
    chosen = path.startswith("blocks.")
    # @elif matrices == "others"
    chosen = not path.startswith("blocks.")
    # @else
    chosen = True
    # @endif
    if chosen and isinstance(linear, CastedLinear):
        # 1: rounded. A tensor, as no compiler can take its value for granted
        linear.qat, linear.qat_bits = torch.zeros(()), h.late_qat_bits


# @fill linear.weight
if self.training and self.qat is not None:
    rounded = on_grid(self.weight.detach().float(), self.qat_bits).to(w.dtype)
    w = w + self.qat * (rounded - w).detach()  # straight through: w has the gradient of rounded


# @fill train.start if start == "always"
round_matrices(model)


# @fill train.before_clock if start != "always"
qat = False
# @if start == "time"
if cap == math.inf:
    log(h, "late_qat:never starts, as there is no MAX_WALLCLOCK_SECONDS")
# @endif


# @fill schedule.step if start != "always"
# @if start == "rate"
due = lr_scale(h, step, elapsed, cap) < h.late_qat_threshold
# @else
due = cap < math.inf and elapsed >= h.late_qat_start_frac * cap
# @endif
if due and not qat:
    qat = True
    log(h, f"late_qat:enabled step:{step}")
    # @if switch == "live"
    round_matrices(model)
    # @endif
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["base_lr"] *= h.late_qat_lr_factor


# @fill train.end if start != "always" and switch == "baked"
if qat:
    round_matrices(model)
