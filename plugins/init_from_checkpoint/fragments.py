# @fill modules
# how public scripts spell what has one name here
PUBLIC_NAMES = {
    "bigram_hash.table.": "bigram.embed.",  # PR #65
    "bigram_hash.": "bigram.",  # PR #65, PR #301
    "bigram_emb.": "bigram.",  # PR #277
    "smeargate.": "smear.",  # PR #65, PR #301
    "smear_gate.": "smear.",  # PR #277
    ".mlp.up_proj.": ".mlp.fc.",  # PR #277
    ".mlp.down_proj.": ".mlp.proj.",
}
# PR #399 keeps the matrices of all layers in one tensor: (layers, r, c), or the first of each
# layer and then the second, (2 layers, r, c)
PUBLIC_BANKS = {
    "qo_bank": ("attn.c_q", "attn.proj"),
    "kv_bank": ("attn.c_k", "attn.c_v"),
    "mlp_up_bank": ("mlp.fc",),
    "mlp_down_bank": ("mlp.proj",),
}


def our_names(name: str, num_layers: int) -> list[str]:
    """Our parameter of a public name; of a bank, its matrices in order."""
    if name in PUBLIC_BANKS:
        kinds, layers = PUBLIC_BANKS[name], range(num_layers)
        return [f"blocks.{layer}.{kind}.weight" for kind in kinds for layer in layers]
    for public, ours in PUBLIC_NAMES.items():
        name = name.replace(public, ours)
    return [name]


def read_checkpoint(h: Hyperparameters) -> dict[str, Tensor]:
    """Tensors by parameter name from INIT_CHECKPOINT, ours or public."""
    path = Path(h.init_checkpoint)
    if not path.is_file():
        stop(f"no checkpoint at {h.init_checkpoint or '(empty)'} (INIT_CHECKPOINT)")
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            tensors = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    else:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    found = {}
    for name, t in tensors.items():
        ours = our_names(name, h.num_layers)
        if name in PUBLIC_BANKS and len(t) != len(ours):
            stop(f"{h.init_checkpoint}: {name} holds {len(t)} matrices, the model {len(ours)}")
        found.update(zip(ours, t if name in PUBLIC_BANKS else (t,)))
    return found


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
