"""Square a leaky ReLU in the MLP, so that a negative input still counts, by a quarter."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="LEAKY_RELU",
    source="PR #493, PR #518",
    hyperparameters=(
        Hyperparameter("slope", 0.5, "below zero, before the square", minimum=0, maximum=1),
    ),
)
