"""Keep an exponential moving average of the weights, and ship it instead of the last ones."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="PR #287",
    switch="EMA_ENABLED",
    smoke={"EMA_DECAY": "0.5"},
    hyperparameters=(
        Hyperparameter("decay", 0.997, "of the average at each step", minimum=0, maximum=1),
        Hyperparameter(
            "start_step", 0, "until which it is the weights themselves", "steps", minimum=0
        ),
        Hyperparameter("score", True, "the average is scored before it is quantised", settled=True),
    ),
    conflicts={"swa": "each puts its own average in place of the final weights"},
)
