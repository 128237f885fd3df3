# @replace rotary.dims
d = h.rope_dims


# @replace rotary.apply
def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (x[i], x[i + d/2]) of a head's first d dimensions; leave the others."""
    a, b, rest = x.split((cos.size(-1), cos.size(-1), x.size(-1) - 2 * cos.size(-1)), dim=-1)
    return torch.cat((a * cos + b * sin, b * cos - a * sin, rest), dim=-1)


# @fill main.setup
if h.rope_dims % 2 or h.rope_dims > h.model_dim // h.num_heads:
    stop(f"ROPE_DIMS={h.rope_dims} is odd or over MODEL_DIM / NUM_HEADS")
