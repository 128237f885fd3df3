"""Compress the artifact with Zstandard."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="ZSTD",
    source="RFC 8878; PR #162",
    switch="USE_ZSTD",
    hyperparameters=(
        Hyperparameter("level", 22, "of compression, 22 the smallest", minimum=1, maximum=22),
    ),
)
