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
                "columns": "the mean size of a column's integers so far picks the table of the next",
                "tensors": "the mean size of a tensor's integers so far picks one for all columns",
            },
            "what an integer's table is chosen by",
        ),
    ),
)
