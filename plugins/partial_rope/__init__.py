"""Rotate only the first dimensions of each head; the rest carry content without position."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="ROPE",
    source="PR #315",
    hyperparameters=(Hyperparameter("dims", 16, "of a head that are rotated, even", minimum=2),),
)
