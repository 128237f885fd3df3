"""Set quantised weights of one step to zero, cheapest first, until the submission fits."""

from pgolf_compose import Hyperparameter, Technique, choice

technique = Technique(
    __name__,
    source="PR #609; at one go PR #1334",
    hyperparameters=(
        choice(
            "search",
            {
                "fewest": "the fewest that fit, to a sixteenth, by bisection, PR #1019",
                "once": "eight for each byte too many, not looked at again, PR #1334",
            },
            "how many become zero",
        ),
        Hyperparameter(
            "target_mb",
            16_000_000 / 2**20,
            "of model and script together: 16,000,000 bytes",
            unit="MiB",
            minimum=0,
            env="TARGET_MB",
        ),
    ),
)
