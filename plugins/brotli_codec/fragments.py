# @fill imports.packages
import brotli

# @replace artifact.codec
CODEC = "brotli"


def compress(data: bytes) -> bytes:
    """Every n-th byte together: the two halves of a float16 compress better apart."""
    h = Hyperparameters
    dealt = b"".join(data[start :: h.brotli_stride] for start in range(h.brotli_stride))
    return brotli.compress(dealt, quality=h.brotli_quality)


def decompress(data: bytes) -> bytes:
    dealt, stride, begin = brotli.decompress(data), Hyperparameters.brotli_stride, 0
    plain = bytearray(len(dealt))
    for start in range(stride):
        count = len(range(start, len(plain), stride))
        plain[start::stride] = dealt[begin : begin + count]
        begin += count
    return bytes(plain)
