"""Compress the artifact with LZMA, from the standard library."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="LZMA",
    source="PR #549",
    hyperparameters=(
        Hyperparameter("preset", 9, "of compression, 9 the smallest", minimum=0, maximum=9),
    ),
)
