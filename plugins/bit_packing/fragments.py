# @fill modules
def pack_bits(q: Tensor) -> Tensor:
    """Integers (any shape) int8 to bytes: each in as few bits as the largest needs, high first."""
    bits = int(q.abs().max()).bit_length() + 1
    codes = q.flatten().numpy().astype(np.uint8)[:, None]
    return torch.from_numpy(np.packbits(np.unpackbits(codes, axis=1)[:, 8 - bits :]))


def unpack_bits(packed: Tensor, shape: torch.Size) -> Tensor:
    """What pack_bits was given; the length tells how many bits one takes."""
    count = shape.numel()
    bits = 8 * len(packed) // count
    codes = np.unpackbits(packed.numpy(), count=count * bits).reshape(count, bits)
    signed = np.concatenate((np.repeat(codes[:, :1], 8 - bits, axis=1), codes), axis=1)
    return torch.from_numpy(np.packbits(signed).astype(np.int8)).view(shape)


# @fill artifact.packing
stored = {
    name: (pack_bits(value[0]), value[1]) if isinstance(value, tuple) else value
    for name, value in stored.items()
}


# @fill artifact.unpacked
shapes = {name: t.shape for name, t in model.state_dict().items()}
stored = {
    name: (unpack_bits(value[0], shapes[name]), value[1]) if isinstance(value, tuple) else value
    for name, value in stored.items()
}
