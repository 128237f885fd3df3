# @fill modules
def read_checkpoint(h: Hyperparameters) -> dict[str, Tensor]:
    """Tensors by parameter name from INIT_CHECKPOINT."""
    path = Path(h.init_checkpoint)
    if not path.is_file():
        stop(f"no checkpoint at {h.init_checkpoint or '(empty)'} (INIT_CHECKPOINT)")
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    return torch.load(path, map_location="cpu", weights_only=True)


def load_checkpoint(h: Hyperparameters, model: nn.Module) -> None:
    """Copy every tensor into the parameter of its name; a name too few or too many stops."""
    tensors, params = read_checkpoint(h), dict(model.named_parameters())
    if amiss := sorted(tensors.keys() ^ params.keys()):
        stop(f"{h.init_checkpoint}: only here or only in the model: {', '.join(amiss[:5])}")
    with torch.no_grad():
        for name, p in params.items():
            if p.shape != tensors[name].shape:
                here, there = list(tensors[name].shape), list(p.shape)
                stop(f"{h.init_checkpoint}: {name} is {here}, in the model {there}")
            p.copy_(tensors[name])


# @fill model.ready
load_checkpoint(h, model)
