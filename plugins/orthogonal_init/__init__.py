"""Start matrices orthogonal, with every singular value at 1; output projections stay at zero."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="PR #65, PR #162",
    switch="ORTHO_INIT",
    hyperparameters=(
        Hyperparameter("min_dim", 64, "both sides at least this long, else uniform", minimum=1),
    ),
)
