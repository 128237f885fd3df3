"""Widen or narrow all clips by one factor, so that script and model fill the limit and no more."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="our own; k was set by hand for it in PR #1394",
    requires={"sdclip": "its multiples of a deviation are what is widened"},
    conflicts={"selective_pruning": "it prunes each try to one size, whatever the clips"},
    keeps={"8": "what the first try read of training data serves the others"},
    after=("gptq",),
    hyperparameters=(
        Hyperparameter("limit", 16_000_000, "of script and model", "bytes", minimum=0),
        Hyperparameter("window", 8192, "below the limit that is near enough", "bytes", minimum=1),
        Hyperparameter("narrowest", 0.4, "factor of the clips", minimum=0.01, maximum=1),
        Hyperparameter("widest", 4.0, "factor of the clips", minimum=1),
        Hyperparameter("seconds", 300.0, "after which nothing is quantised again", minimum=0),
    ),
)
