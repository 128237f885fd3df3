"""Clip each row at a multiple of its standard deviation: one number sets the size of all."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="",
    source="PR #1394",
    hyperparameters=(
        Hyperparameter(
            "matrix_clip_sigmas", 12.85, "where a matrix's rows clip", "deviations", minimum=0.01
        ),
        Hyperparameter(
            "embed_clip_sigmas", 20.0, "where an embedding's rows clip", "deviations", minimum=0.01
        ),
    ),
)
