"""Let the largest weight of each row set its step, so that none is clipped."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="PR #162; the least clip from PR #265",
    hyperparameters=(
        Hyperparameter(
            "up_to_bits", 7, "wider integers keep the host's percentile", minimum=2, maximum=8
        ),
        Hyperparameter(
            "least_clip", 0.0, "no row's range is smaller; 1: the public quirk", minimum=0
        ),
    ),
)
