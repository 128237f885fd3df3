"""Store embeddings and matrices as integers of different widths."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="",
    source="PR #1394",
    hyperparameters=(
        Hyperparameter("matrix_bits", 6, "of a matrix's integers", minimum=2, maximum=8),
        Hyperparameter("embed_bits", 8, "of an embedding's integers", minimum=2, maximum=8),
    ),
)
