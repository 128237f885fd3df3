"""Compress the artifact with LZMA, from the standard library."""

from pgolf_compose import Hyperparameter, Technique, choice

technique = Technique(
    __name__,
    env_prefix="LZMA",
    source="PR #549",
    hyperparameters=(
        choice(
            "compressor",
            {"lzma": "xz, of the standard library, PR #549"},
            "the codec's public name",
            env="COMPRESSOR",
        ),
        Hyperparameter("preset", 9, "of compression, 9 the smallest", minimum=0, maximum=9),
    ),
)
