"""Let learning rates fall over the last fraction of training, told by time where there is a cap."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="",
    source="PR #1218",
    hyperparameters=(
        Hyperparameter(
            "warmdown_frac",
            0.667,
            "of training",
            minimum=0,
            maximum=1,
            env="WARMDOWN_FRAC WARMDOWN_FRACTION",
        ),
        Hyperparameter(
            "min_lr",
            0.0,
            "of each rate is left at the end",
            minimum=0,
            maximum=1,
            env="MIN_LR LR_FLOOR",
        ),
    ),
)
