"""Code the quantised integers at their entropy, under tables that the coder learns as it goes."""

from pgolf_compose import Technique, choice

technique = Technique(
    __name__,
    source="arXiv:1311.2540 (rANS); tables learnt column by column are our own",
    conflicts={"bit_packing": "it leaves bytes where integers were, which no table fits"},
    hyperparameters=(
        choice(
            "tables",
            {
                "columns": "by the mean size of its column so far",
                "tensors": "by the mean size of its tensor so far",
            },
            "how an integer's table is picked",
        ),
    ),
)
