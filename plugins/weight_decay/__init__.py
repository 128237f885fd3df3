"""Shrink weights towards zero at every step, apart from the gradient (AdamW, decoupled in Muon)."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="",
    source="arXiv:1711.05101; high values from PR #1218",
    hyperparameters=(
        Hyperparameter("muon_wd", 0.085, "of matrices", minimum=0),
        Hyperparameter("embed_wd", 0.085, "of embeddings", minimum=0),
        Hyperparameter("adam_wd", 0.02, "of all other parameters", minimum=0),
    ),
)
