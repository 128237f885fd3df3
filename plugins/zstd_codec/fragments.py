# @fill imports.packages
import zstandard

# @replace artifact.codec
CODEC = "zstd"


def compress(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=Hyperparameters.zstd_level).compress(data)


def decompress(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data)
