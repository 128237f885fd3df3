# @replace artifact.container
def pack(stored: dict, state: dict[str, Tensor]) -> dict:
    """Tensors under `w`, two for what is quantised, and how each is stored under `m`."""
    tensors, kinds = {}, {}
    for name, value in stored.items():
        if isinstance(value, tuple):
            tensors[f"{name}.q"], tensors[f"{name}.scale"] = value
            kinds[name] = "rows"
        else:
            tensors[name] = value
            kinds[name] = "float"
    return {"w": tensors, "m": kinds}


def unpack(artifact: dict) -> dict:
    w = artifact["w"]
    return {
        name: (w[f"{name}.q"], w[f"{name}.scale"]) if kind == "rows" else w[name]
        for name, kind in artifact["m"].items()
    }
