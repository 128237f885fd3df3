# @fill imports.standard
import lzma

# @replace artifact.codec
CODEC = "lzma"


def compress(data: bytes) -> bytes:
    return lzma.compress(data, preset=Hyperparameters.lzma_preset)


def decompress(data: bytes) -> bytes:
    return lzma.decompress(data)
