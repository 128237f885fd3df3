"""Set the smallest weights of each large matrix to zero before it is quantised."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="PR #180",
    hyperparameters=(
        Hyperparameter("share", 0.03, "of a matrix's weights", minimum=0, maximum=1),
        Hyperparameter("above_numel", 65536, "smaller matrices keep all", minimum=0),
    ),
)
