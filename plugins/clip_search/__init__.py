"""Try five percentiles as the clip of a matrix's rows, and keep the one that loses least."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="PR #414; with GPTQ for each of them PR #1019",
    hyperparameters=(
        Hyperparameter(
            "up_to_bits", 7, "wider integers keep the host's percentile", minimum=2, maximum=8
        ),
        Hyperparameter(
            "least_clip", 1.0, "no row's range is smaller; below 1 rows use it", minimum=0
        ),
    ),
)
