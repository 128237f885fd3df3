# @fill train.before_clock
cap = max(0.0, cap - 1000 * h.gptq_reserve_seconds)  # calibration reads training data too
log(h, f"gptq:reserving {h.gptq_reserve_seconds:g} s of the training budget")


# @fill imports.standard
# @if "fit_artifact" in techniques
import functools

# @endif


# @fill modules
# @if "fit_artifact" in techniques
@functools.cache  # it quantises the same model again: training data is read once
# @endif
@torch.no_grad()
def collect_hessians(h: Hyperparameters, model: nn.Module) -> dict[str, Tensor]:
    """What each large matrix reads: the sum of x xT over calibration tokens, by parameter name.

    A layer that runs several times adds up all its passes. All processes' tokens count, and all
    get the sum; public scripts took those of the first one.
    """
    synchronize(h)
    started = time.perf_counter()
    model.eval()
    hessians: dict[str, Tensor] = {}

    def add(name: str, x: Tensor) -> None:
        x = x.detach().flatten(0, -2).float()
        hessians[name] = x.T @ x + hessians.get(name, 0)

    # @scope h, model, nothing of it watched yet; assign batches, token ids (B, T) each
    # @part gptq.batches
    loader = Loader(h)
    batches = (loader.next_batch()[0] for _ in range(h.gptq_calibration_batches))
    # @endpart
    hooks = [
        module.register_forward_pre_hook(lambda _, args, name=name: add(f"{name}.weight", args[0]))
        for name, module in model.named_modules()
        if isinstance(module, CastedLinear) and module.weight.numel() > h.int8_keep_float_max_numel
    ]
    count = 0
    for ids in batches:
        # @if head == "compensated"
        add("tok_emb.weight" if h.tie_embeddings else "lm_head.weight", model.trunk(ids))
        # @else
        model.trunk(ids)
        # @endif
        count += 1
    for hook in hooks:
        hook.remove()
    for name in sorted(hessians):
        if h.world_size > 1:
            dist.all_reduce(hessians[name])
        hessians[name] /= count * h.world_size
        diagonal = hessians[name].diagonal()
        if h.gptq_damp_collected:
            diagonal += h.gptq_damp_collected * diagonal.mean()
    synchronize(h)
    seconds = time.perf_counter() - started
    log(h, f"gptq:collected {len(hessians)} Hessians in {seconds:.1f} s")
    if h.max_wallclock_seconds > 0 and seconds > h.gptq_reserve_seconds:
        log(h, f"gptq:over the {h.gptq_reserve_seconds:g} s of GPTQ_RESERVE_SECONDS: raise it")
    return {name: hessian.cpu() for name, hessian in hessians.items()}


def damped(h: Hyperparameters, hessian: Tensor) -> Tensor:
    """A copy that can be inverted: no input without curvature."""
    H = hessian.clone()
    curvature = H.diagonal()
    curvature[curvature == 0] = 1
    curvature += h.gptq_damp * curvature.mean()
    return H


def round_with_hessian(
    h: Hyperparameters, w: Tensor, scale: Tensor, top: int, hessian: Tensor, block: int = 128
) -> Tensor:
    """Whole numbers q (r, c), column by column, that keep (w - q scale) H small (GPTQ)."""
    w, H = w.clone(), damped(h, hessian)
    w[:, hessian.diagonal() == 0] = 0  # nothing ever reads these
    # the columns that matter most first, while there are others left to make up for them
    order = H.diagonal().argsort(descending=True)
    w, H = w[:, order], H[order][:, order]
    lower, failed = torch.linalg.cholesky_ex(H)
    while failed:  # too few tokens for so many columns: damp more
        H.diagonal().mul_(1.1)
        lower, failed = torch.linalg.cholesky_ex(H)
    U = torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True)
    q = torch.zeros_like(w)
    for start in range(0, w.size(1), block):
        end = min(start + block, w.size(1))
        errors = torch.zeros_like(w[:, start:end])
        for n in range(start, end):
            q[:, n] = torch.round(w[:, n] / scale).clamp(-top, top)
            errors[:, n - start] = (w[:, n] - q[:, n] * scale) / U[n, n]
            w[:, n:end] -= errors[:, n - start, None] * U[n, n:end]
        w[:, end:] -= errors @ U[start:end, end:]
    return q[:, order.argsort()]


# @fill quantize.calibrate
hessians.update(collect_hessians(h, model))


# @replace quantize.solve
if name in hessians:
    q = round_with_hessian(h, w, scale, top, hessians[name])
else:  # calibration saw nothing that reads it
    q = torch.round(w / scale[:, None]).clamp(-top, top)


# @fill main.setup
if 0 < h.max_wallclock_seconds <= h.gptq_reserve_seconds:
    stop("GPTQ_RESERVE_SECONDS leaves nothing of MAX_WALLCLOCK_SECONDS to train in")
