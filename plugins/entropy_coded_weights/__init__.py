"""Code the quantised integers at their entropy."""

from pgolf_compose import Technique, choice

technique = Technique(
    __name__,
    source="arXiv:1311.2540 (rANS); tables learnt column by column are our own",
    conflicts={"bit_packing": "it leaves bytes where integers were, which no table fits"},
    hyperparameters=(
        choice(
            "tables",
            {
                "columns": "by the mean size of its column so far; tables are learnt",
                "static": "by its tensor; tables are stored",
            },
            "how an integer's table is picked",
        ),
    ),
)
