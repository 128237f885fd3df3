# -----------------------------------------------------------------------------
# Quantise and serialise


# @scope assign QUANTIZER, the word for it in log lines
# @part quantize.label
QUANTIZER = "int8"
# @endpart


def as_stored(scale: Tensor) -> Tensor:
    """Steps as float16 will hold them, none of them zero."""
    # @scope scale, float32; return it as float16 numbers above zero, in float32
    # @part quantize.stored_scale
    return scale.to(torch.float16).clamp_min(2**-24).float()
    # @endpart


def percentile_clip(h: Hyperparameters, w: Tensor, top: int) -> tuple[Tensor, Tensor]:
    """The rows of w (r, c) clipped at a percentile of their magnitudes, and their steps (r,)."""
    clip = torch.quantile(w.abs(), h.int8_clip_percentile / 100, dim=1)
    # a floor of one step per unit, as in the public baseline, is a coarse grid for small rows
    scale = (clip / top).clamp_min(1 / top if h.quant_scale_floor else 2**-24)
    w = w.clamp(-clip[:, None], clip[:, None])
    return w, scale if h.quant_unrounded_scale else as_stored(scale)


def clipped(
    h: Hyperparameters, name: str, w: Tensor, kind: str, bits: int, hessians: dict[str, Tensor]
) -> list[tuple[Tensor, Tensor]]:
    """Ways to fit the rows of w (r, c) to integers: w, clipped or not, and steps (r,)."""
    top = 2 ** (bits - 1) - 1
    # @scope h, name, w (r, c) float32, kind of parameter, bits, top, the largest integer, hessians;
    # @scope return pairs of w and scale (r,), as rounding is to use them, of which the best is kept
    # @part quantize.scales
    return [percentile_clip(h, w, top)]
    # @endpart


def quantize_rows(
    h: Hyperparameters, name: str, w: Tensor, kind: str, bits: int, hessians: dict[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Integers (r, c) int8 and the step of each row (r,) float16 that come closest to w (r, c)."""
    top, tries, whole = 2 ** (bits - 1) - 1, [], w
    for w, scale in clipped(h, name, whole, kind, bits, hessians):
        # @scope h, name, kind, w (r, c), scale (r,), top, hessians; assign q (r, c), whole numbers
        # @part quantize.solve
        q = torch.round(w / scale[:, None]).clamp(-top, top)
        # @endpart
        stored = as_stored(scale)
        error = (q * stored[:, None] - whole).square().mean().item()
        tries.append((error, q.to(torch.int8), stored.to(torch.float16)))
    _, q, stored = min(tries, key=lambda one: one[0])
    return q, stored


def quantize(h: Hyperparameters, model: GPT) -> dict[str, Tensor | tuple[Tensor, Tensor]]:
    """Each tensor of the state dict as it is stored: integers with scales, or floats."""
    kinds, hessians, stored = parameter_kinds(model), {}, {}
    # @scope h, model, kinds, hessians (name -> what a matrix reads, x xT): fill it
    # @slot quantize.calibrate
    state = {name: t.detach().cpu() for name, t in model.state_dict().items()}
    # @scope h, model, kinds, state (name -> tensor on the CPU): rewrite the tensors
    # @slot quantize.before
    for name, t in state.items():
        kind = kinds.get(name, "scalar")
        large, bits = t.is_floating_point() and t.numel() > h.int8_keep_float_max_numel, 16
        if large:
            # @scope h, name, t, kind; assign bits of its integers; above 8 it stays a float
            # @part quantize.bits
            bits = 8
            # @endpart
            # @scope h, name, t, kind, hessians, bits: rewrite bits
            # @slot quantize.after_bits
        if large and bits <= 8:
            rows = t.float().view(len(t) if t.ndim == 2 else 1, -1)
            q, scale = quantize_rows(h, name, rows, kind, bits, hessians)
            stored[name] = q.view_as(t), scale
        elif t.is_floating_point():
            # @scope h, name, t, kind, large; assign kept, the tensor as it is stored
            # @part quantize.keep
            kept = t.float() if kind == "scalar" else t.to(torch.float16)
            # @endpart
            stored[name] = kept
        else:
            stored[name] = t
    # @scope h, model, kinds, state, stored (name -> tensor, or integers and scales): rewrite it
    # @slot quantize.after
    return stored


def dequantize(stored: dict, model: GPT) -> dict[str, Tensor]:
    """The state dict that an artifact stands for, each tensor in the model's own type."""
    state = {}
    for name, t in model.state_dict().items():
        value = stored[name]
        if isinstance(value, tuple):
            q, scale = value
            rows = q.view(len(scale), -1).float() * scale.float()[:, None]
            value = rows.view_as(q)
        state[name] = value.to(t.dtype)
    # @scope stored, model, state (name -> tensor): rewrite state
    # @slot dequantize.after
    return state


# @scope stored (name -> tensor, or integers and scales), state (name -> tensor as trained)
# @part artifact.container
def pack(stored: dict, state: dict[str, Tensor]) -> dict:
    """The public baseline's dictionary: integers, scales and floats apart, types beside them."""
    types = {name: str(t.dtype).removeprefix("torch.") for name, t in state.items()}
    rows = {name: value for name, value in stored.items() if isinstance(value, tuple)}
    floats = {name: value for name, value in stored.items() if name not in rows}
    return {
        "__quant_format__": "int8_clean_per_row_v1",
        "quantized": {name: q for name, (q, _) in rows.items()},
        "scales": {name: scale for name, (_, scale) in rows.items()},
        "dtypes": {name: types[name] for name in rows},
        "passthrough": floats,
        "qmeta": {name: {"scheme": "per_row", "axis": 0} for name in rows},
        "passthrough_orig_dtypes": {
            name: types[name] for name, t in floats.items() if t.dtype == torch.float16
        },
    }


def unpack(artifact: dict) -> dict:
    rows = {name: (q, artifact["scales"][name]) for name, q in artifact["quantized"].items()}
    return {**rows, **artifact["passthrough"]}


# @endpart


# @scope offers CODEC, compress(bytes) -> bytes and decompress(bytes) -> bytes
# @part artifact.codec
CODEC = "zlib"


def compress(data: bytes) -> bytes:
    return zlib.compress(data, level=9)


def decompress(data: bytes) -> bytes:
    return zlib.decompress(data)


# @endpart


def encode(model: GPT, stored: dict) -> tuple[bytes, bytes]:
    """The artifact's bytes before compression, and after."""
    # @scope model, stored (name -> tensor, or integers and scales): make another that packs well
    # @slot artifact.packing
    # @scope model, stored; assign raw, the artifact's bytes before compression, and data, after
    # @part artifact.encode
    buffer = io.BytesIO()
    torch.save(pack(stored, model.state_dict()), buffer)
    raw, data = buffer.getvalue(), compress(buffer.getvalue())
    # @endpart
    # @scope data, the artifact's bytes: rewrite it
    # @slot artifact.encoded
    return raw, data


def write_artifact(h: Hyperparameters, model: GPT) -> Path:
    """Quantise, compress and write the model; log every size that counts."""
    path = Path(f"final_model.{QUANTIZER}.ptz")
    if h.rank == 0:  # before anything that could fail: the training is paid for
        torch.save(model.state_dict(), "final_model.pt")
    # @scope h, model; assign stored, as quantize returns it, raw and data, as encode does
    # @part artifact.quantize
    stored = quantize(h, model)
    raw, data = encode(model, stored)
    # @endpart
    code = len(Path(__file__).read_bytes())
    if h.rank == 0:
        path.write_bytes(data)
        log(h, f"Serialized model: {Path('final_model.pt').stat().st_size} bytes")
        log(h, f"Code size: {code} bytes")
        log(h, f"Serialized model {QUANTIZER}+{CODEC}: {len(data)} bytes (raw:{len(raw)})")
        log(h, f"Total submission size {QUANTIZER}+{CODEC}: {len(data) + code} bytes")
    # @scope h, model, stored, raw and data (bytes), code (a number of bytes)
    # @slot artifact.written
    if h.world_size > 1:
        dist.barrier()
    return path


def read_artifact(h: Hyperparameters, model: GPT, path: Path) -> None:
    """Put the weights that the file holds into the model: what is scored is what is shipped."""
    data = path.read_bytes()
    # @scope path, data, the file's bytes: check it, undo artifact.encoded
    # @slot artifact.reading
    # @scope data, the file's bytes; assign stored, what artifact.encode was given
    # @part artifact.decode
    stored = unpack(torch.load(io.BytesIO(decompress(data)), "cpu", weights_only=True))
    # @endpart
    # @scope model, stored, as artifact.packing left it: make it again what quantize returned
    # @slot artifact.unpacked
    model.load_state_dict(dequantize(stored, model), strict=True)
    # @scope h, model, with the artifact's weights
    # @slot artifact.read
