"""Train the layers of the second half, the decoder's, at rates of their own."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="PR #277",
    hyperparameters=(
        Hyperparameter("mult", 2.0, "of the rates of matrices and scalars", minimum=0),
    ),
)
