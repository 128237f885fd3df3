"""Add a second, narrow embedding of each token to the values of some layers."""

from pgolf_compose import Hyperparameter, Technique, choice


def misfit(values) -> str:
    L = values["num_layers"]
    chosen = [layer % L for layer in values["ve_layers"] if -L <= layer < L]
    if not chosen or len(set(chosen)) < len(values["ve_layers"]):
        return "ve_layers names no layer, one twice, or one that num_layers does not have"
    return ""


technique = Technique(
    __name__,
    env_prefix="VE",
    source="PR #374, PR #414",
    after=("lora_ttt",),
    switch="VE_ENABLED",
    misfit=misfit,
    hyperparameters=(
        Hyperparameter("dim", 128, "width of the table", minimum=1),
        Hyperparameter("layers", (-2, -1), "that read it, from 0; negative: from the last, -1"),
        choice(
            "proj_optimizer",
            {
                "muon": "that of matrices (PR #414, PR #1218)",
                "scalar": "that of scalars, at their rate (PR #549)",
            },
            "what trains the projection",
        ),
    ),
)
