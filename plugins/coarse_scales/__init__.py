"""Keep few bits of each row's step, so that steps take half the bytes and the solver knows them."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="our own",
    hyperparameters=(
        Hyperparameter(
            "mantissa_bits", 3, "of ten; 5 exponent bits beside them", minimum=0, maximum=10
        ),
    ),
)
