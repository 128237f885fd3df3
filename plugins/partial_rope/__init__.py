"""Rotate only the first dimensions of each head; the rest carry content without position."""

from pgolf_compose import Hyperparameter, Technique


def misfit(values) -> str:
    if values["rope_dims"] % 2 or values["rope_dims"] > values["model_dim"] // values["num_heads"]:
        return "rope_dims is odd, or more than a head has: model_dim / num_heads"
    return ""


technique = Technique(
    __name__,
    env_prefix="ROPE",
    source="PR #315",
    misfit=misfit,
    hyperparameters=(Hyperparameter("dims", 16, "of a head that are rotated, even", minimum=2),),
)
