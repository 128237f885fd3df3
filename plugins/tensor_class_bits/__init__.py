"""Store embeddings, matrices and tables as integers of different widths, or as float16."""

from pgolf_compose import Hyperparameter, Technique


def misfit(values) -> str:
    return "mlp_bits is 1: an integer takes 2 at least" if values["mlp_bits"] == 1 else ""


technique = Technique(
    __name__,
    env_prefix="",
    source="PR #1394; int5 MLPs and int6 bigram tables from PR #180, float16 from PRs #42, #99",
    misfit=misfit,
    hyperparameters=(
        Hyperparameter(
            "matrix_bits",
            6,
            "of an attention matrix and, unless told, of an MLP's; above 8: float16",
            minimum=2,
            maximum=16,
            env="MATRIX_BITS QUANT_BITS",
        ),
        Hyperparameter(
            "mlp_bits", 0, "of an MLP's matrix; 0: as matrix_bits", minimum=0, maximum=16
        ),
        Hyperparameter(
            "embed_bits",
            8,
            "of the token embedding, and of an untied head; above 8: float16",
            minimum=2,
            maximum=16,
        ),
        Hyperparameter(
            "bigram_bits",
            8,
            "of a bigram table and its projection; above 8: float16",
            minimum=2,
            maximum=16,
        ),
        Hyperparameter(
            "other_bits", 8, "of any other table or matrix; above 8: float16", minimum=2, maximum=16
        ),
        Hyperparameter(
            "fp16_keep_name_patterns",
            "",
            "parts of names, with commas between; what has one in its name stays float16",
            env="FP16_KEEP_NAME_PATTERNS FP16_PASSTHROUGH_PATTERNS INT8_KEEP_FP16_NAME_PATTERNS",
        ),
    ),
)
