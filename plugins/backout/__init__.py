"""Take a learned share of a middle layer's output back out of the last hidden state."""

from pgolf_compose import Hyperparameter, Technique


def misfit(values) -> str:
    if values["backout_layer"] >= values["num_layers"]:
        return "backout_layer is none of num_layers layers"
    return ""


technique = Technique(
    __name__,
    source="PR #339, PR #366",
    after=("parallel_residual",),
    switch="BACKOUT_ENABLED",
    misfit=misfit,
    hyperparameters=(
        Hyperparameter("layer", -1, "whose output is taken, from 0; -1: the middle", minimum=-1),
        Hyperparameter("lambda_init", 0.2, "the share at first"),
    ),
)
