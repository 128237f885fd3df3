"""Shrink weights towards zero at every step, apart from the gradient (AdamW, decoupled in Muon)."""

from pgolf_compose import Hyperparameter, Technique, choice

technique = Technique(
    __name__,
    env_prefix="",
    source="arXiv:1711.05101; PR #60, PR #162, high values from PR #1218",
    hyperparameters=(
        Hyperparameter("muon_wd", 0.085, "of matrices", minimum=0, env="MUON_WD MUON_WEIGHT_DECAY"),
        Hyperparameter("embed_wd", 0.085, "of embeddings; -1: as adam_wd", minimum=-1),
        Hyperparameter(
            "adam_wd",
            0.02,
            "of all other parameters",
            minimum=0,
            env="ADAM_WD ADAM_WEIGHT_DECAY WEIGHT_DECAY",
        ),
        choice(
            "placement",
            {
                "before": "matrices shrink, then they are updated, PR #162",
                "after": "what the update leaves shrinks, PR #60, PR #86, PR #277",
            },
            "of the decay in Muon's step",
        ),
    ),
)
