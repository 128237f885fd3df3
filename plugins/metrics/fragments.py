# @fill imports.standard
import json
import resource


# @fill modules
def record(h: Hyperparameters, event: str, **values) -> None:
    """One line of METRICS_PATH, written by rank 0."""
    if h.rank == 0:
        with open(h.metrics_path, "a", encoding="utf-8") as file:
            print(json.dumps({"event": event, **values}), file=file)


def record_weights(h: Hyperparameters, at: str, model: nn.Module) -> None:
    """Sum and L2 norm of every tensor, in float64."""
    tensors = {name: t.detach().double() for name, t in model.state_dict().items()}
    summary = {name: [t.sum().item(), t.norm().item()] for name, t in tensors.items()}
    record(h, "weights", at=at, tensors=summary)


def group_values(optimizers: list) -> list[dict]:
    return [
        {
            "optimizer": "Muon" if isinstance(optimizer, Muon) else type(optimizer).__name__,
            "lr": group["lr"],
            "momentum": group.get("momentum"),  # Muon and SGD; Adam has none of that name
            "weight_decay": group.get("weight_decay", 0.0),
            "numel": sum(p.numel() for p in group["params"]),
        }
        for optimizer in optimizers
        for group in optimizer.param_groups
    ]


def memory_bytes(h: Hyperparameters) -> int:
    """The most memory held so far: of the GPU, or of this process on a CPU."""
    if h.device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# @fill train.start
record_weights(h, "init", model)


# @fill train.after_step
record(
    h,
    "step",
    step=step,
    train_loss=mean_over_processes(h, loss),
    groups=group_values(optimizers),
    elapsed_ms=clock.elapsed(),
    memory_bytes=memory_bytes(h),
)


# @fill train.before_validation
validation_started = time.perf_counter()


# @fill train.validated
record(
    h,
    "eval",
    stage="training",
    step=step,
    val_loss=val_loss,
    val_bpb=val_bpb,
    elapsed_ms=1000 * (time.perf_counter() - validation_started),
)


# @fill train.end
record_weights(h, "train_end", model)


# @fill? weights.averaged
record_weights(h, "averaged", model)


# @fill artifact.written
record(
    h,
    "artifact",
    bytes_raw=len(raw),
    bytes_model=len(data),
    bytes_code=code,
    bytes_total=len(data) + code,
)


# @fill artifact.read
record_weights(h, "dequantised", model)


# @fill evaluate.scored
record(h, "eval", stage=label, val_loss=val_loss, val_bpb=val_bpb, elapsed_ms=elapsed)


# @fill adapt.after_step
record(h, "adapt", stage=stage, loss=loss.item(), groups=group_values([optimizer]))


# @fill main.finish
record_weights(h, "final", model)
