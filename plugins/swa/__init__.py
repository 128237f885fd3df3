"""Average the weights of checkpoints from the last part of training, and ship the mean."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="arXiv:1803.05407; PR #162",
    switch="SWA_ENABLED",
    smoke={"SWA_EVERY": "1"},
    hyperparameters=(
        Hyperparameter(
            "start_frac", 0.5, "rates below this share of their peak", minimum=0, maximum=1
        ),
        Hyperparameter("every", 50, "steps between checkpoints", unit="steps", minimum=1),
        Hyperparameter("score", True, "the mean is scored before it is quantised", settled=True),
    ),
    conflicts={"ema": "each puts its own average in place of the final weights"},
)
