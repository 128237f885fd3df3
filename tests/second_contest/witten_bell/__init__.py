"""A context that many different bytes have followed counts for less."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    host="pages",
    source="Witten and Bell 1991",
    keeps={"one_pass": "it only asks how many different bytes were counted"},
    hyperparameters=(
        Hyperparameter("weight", 1.0, "of each different byte", minimum=0.01, maximum=100),
    ),
)
