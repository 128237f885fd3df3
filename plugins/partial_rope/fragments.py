# @replace rotary.dims
d = h.rope_dims


# @replace rotary.apply
def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (x[i], x[i + d/2]) of a head's first d dimensions; leave the others."""
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    a, b, rest = x.split((cos.size(-1), cos.size(-1), x.size(-1) - 2 * cos.size(-1)), dim=-1)
    return torch.cat((a * cos + b * sin, b * cos - a * sin, rest), dim=-1)
