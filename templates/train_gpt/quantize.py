# -----------------------------------------------------------------------------
# Quantise and serialise


def keeps_float32(model: GPT) -> set[str]:
    """Parameters that are neither embeddings nor matrices: few numbers, each of much weight."""
    kept = set()
    for module_name, module in model.named_modules():
        if not isinstance(module, nn.Embedding | CastedLinear):
            prefix = f"{module_name}." if module_name else ""
            kept.update(prefix + name for name, _ in module.named_parameters(recurse=False))
    return kept


def quantize_rows(h: Hyperparameters, w: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """A matrix (r, c) as integers (r, c) int8 and the step of each row (r,) float16."""
    top = 2 ** (bits - 1) - 1
    w = w.float()
    # @scope h, w (r, c) float32, bits, top (largest integer); assign scale (r,) float32
    # @part quantize.scales
    clip = torch.quantile(w.abs(), h.int8_clip_percentile / 100, dim=1)
    w = w.clamp(-clip[:, None], clip[:, None])
    # a floor of one step per unit, as in the public baseline, is a coarse grid for small rows
    scale = (clip / top).clamp_min(1 / top if h.quant_scale_floor else 1e-12)
    # @endpart
    stored = scale.to(torch.float16)
    if not h.quant_unrounded_scale:
        scale = stored.float().clamp_min(1e-12)
    # @scope h, w (r, c) float32, scale (r,) float32, bits, top; assign q (r, c), whole numbers
    # @part quantize.solve
    q = torch.round(w / scale[:, None]).clamp(-top, top)
    # @endpart
    return q.to(torch.int8), stored


def quantize(h: Hyperparameters, model: GPT) -> dict:
    """The state dict as an artifact: large matrices as integers, the rest as floats."""
    kept = keeps_float32(model)
    state = {name: t.detach().cpu() for name, t in model.state_dict().items()}
    # @scope h, model, state (name -> tensor on the CPU): rewrite the tensors
    # @slot quantize.before
    out = {
        "__quant_format__": "int8_clean_per_row_v1",
        "quantized": {},
        "scales": {},
        "dtypes": {},
        "passthrough": {},
        "qmeta": {},
        "passthrough_orig_dtypes": {},
    }
    for name, t in state.items():
        dtype = str(t.dtype).removeprefix("torch.")
        # @scope h, name, t, kept; assign bits, 0 for a tensor that stays a float
        # @part quantize.classes
        bits = 8 if t.is_floating_point() and t.numel() > h.int8_keep_float_max_numel else 0
        # @endpart
        if not bits and name in kept:
            out["passthrough"][name] = t.float()
        elif not bits and t.is_floating_point():
            out["passthrough"][name] = t.to(torch.float16)
            out["passthrough_orig_dtypes"][name] = dtype
        elif not bits:
            out["passthrough"][name] = t
        else:
            # a vector is one row with one scale
            q, scale = quantize_rows(h, t.view(len(t) if t.ndim == 2 else 1, -1), bits)
            out["quantized"][name] = q.view_as(t)
            out["scales"][name] = scale
            out["dtypes"][name] = dtype
            out["qmeta"][name] = {"scheme": "per_row", "axis": 0}
    # @scope h, model, state, out: rewrite out
    # @slot quantize.after
    return out


def dequantize(h: Hyperparameters, artifact: dict) -> dict[str, Tensor]:
    """The state dict that the artifact stands for, each tensor in the type it trained in."""
    state = {}
    for name, q in artifact["quantized"].items():
        rows = q.view(len(q) if q.ndim == 2 else 1, -1).float()
        w = rows * artifact["scales"][name].float()[:, None]
        state[name] = w.view_as(q).to(getattr(torch, artifact["dtypes"][name]))
    for name, t in artifact["passthrough"].items():
        dtype = artifact["passthrough_orig_dtypes"].get(name)
        state[name] = t.to(getattr(torch, dtype)) if dtype else t
    # @scope h, artifact, state (name -> tensor): rewrite state
    # @slot dequantize.after
    return state


# @scope offers CODEC, encode(dict) -> (bytes, their number before compression), decode(bytes)
# @part artifact.codec
CODEC = "zlib"


def encode(artifact: dict) -> tuple[bytes, int]:
    buffer = io.BytesIO()
    torch.save(artifact, buffer)
    return zlib.compress(buffer.getvalue(), level=9), buffer.tell()


def decode(data: bytes) -> dict:
    return torch.load(io.BytesIO(zlib.decompress(data)), map_location="cpu", weights_only=True)


# @endpart


def tensor_bytes(tensors) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def write_artifact(h: Hyperparameters, model: GPT) -> Path:
    """Quantise, compress and write the model; log every size that counts."""
    path = Path("final_model.int8.ptz")
    artifact = quantize(h, model)
    data, raw = encode(artifact)
    code = len(Path(__file__).read_bytes())
    if h.rank == 0:
        path.write_bytes(data)
        torch.save(model.state_dict(), "final_model.pt")
        before = tensor_bytes(model.state_dict().values())
        stored = (artifact["quantized"], artifact["scales"], artifact["passthrough"])
        payload = tensor_bytes(t for tensors in stored for t in tensors.values())
        log(h, f"Serialized model: {Path('final_model.pt').stat().st_size} bytes")
        log(h, f"Code size: {code} bytes")
        log(
            h,
            f"Serialized model int8+{CODEC}: {len(data)} bytes "
            f"(payload:{payload} raw_torch:{raw} payload_ratio:{before / payload:.2f}x)",
        )
        log(h, f"Total submission size int8+{CODEC}: {len(data) + code} bytes")
    # @scope h, model, artifact, data (bytes), raw (bytes before compression), code (bytes)
    # @slot artifact.written
    if h.world_size > 1:
        dist.barrier()
    return path


def read_artifact(h: Hyperparameters, model: GPT, path: Path) -> None:
    """Put the weights that the file holds into the model: what is scored is what is shipped."""
    model.load_state_dict(dequantize(h, decode(path.read_bytes())), strict=True)
    # @scope h, model, with the artifact's weights
    # @slot artifact.read
