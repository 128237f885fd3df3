"""Round the stored integers of blocks to multiples of four, which compress to fewer bits."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="",
    source="PR #39; PR #86 of all blocks",
    hyperparameters=(
        Hyperparameter("int4_step", 4, "between the integers that are left", minimum=1),
        Hyperparameter("int4_layers", (), "blocks whose matrices are so; none: of all blocks"),
    ),
)
