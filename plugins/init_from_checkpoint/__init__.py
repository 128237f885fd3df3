"""Start from the weights of a file instead of the usual initialisation."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="INIT",
    hyperparameters=(
        Hyperparameter(
            "checkpoint", "", "a .npz or .pt with every parameter by its name, ours or public"
        ),
    ),
    measuring=True,
)
