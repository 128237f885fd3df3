"""Exclusive self-attention: no head may repeat the value of its own token."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="arXiv:2603.09078; PR #265, all layers in PR #478",
    hyperparameters=(
        Hyperparameter(
            "last_n",
            4,
            "of the deepest layers use it",
            minimum=0,
            env="XSA_LAST_N XSA_LAYERS",
        ),
    ),
)
