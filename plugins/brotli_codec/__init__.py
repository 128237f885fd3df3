"""Compress the artifact with brotli, the bytes of each 16-bit number first dealt apart."""

from pgolf_compose import Hyperparameter, Technique, choice

technique = Technique(
    __name__,
    env_prefix="BROTLI",
    source="RFC 7932; byte shuffle from PR #1089",
    hyperparameters=(
        choice(
            "compressor",
            {"brotli": "RFC 7932, PR #1089"},
            "the codec's public name",
            env="COMPRESSOR",
        ),
        Hyperparameter("quality", 11, "of compression, 11 the smallest", minimum=0, maximum=11),
        Hyperparameter("stride", 2, "bytes dealt apart; 1: as they are", minimum=1, maximum=16),
    ),
)
