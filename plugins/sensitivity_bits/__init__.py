"""Give the matrices that large inputs reach their full width, and one bit less to the others."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="",
    source="PR #1105",
    switch="MIXED_QUANT",
    requires={
        "gptq": "a matrix's trace of what it reads is what ranks it",
        "tensor_class_bits": "it sets the width from which a bit is taken",
    },
    hyperparameters=(
        Hyperparameter("n_int6_layers", 32, "matrices of full width", minimum=0),
        Hyperparameter(
            "int6_first_layers", (), "blocks whose matrices have it before all others, PR #1204"
        ),
    ),
)
