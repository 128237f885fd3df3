"""Store embeddings, matrices and tables as integers of different widths, or as float16."""

from pgolf_compose import Hyperparameter, Technique


def bits(name: str, default: int, of: str, least: int = 2) -> Hyperparameter:
    return Hyperparameter(name, default, of, "bits; above 8: float16", minimum=least, maximum=16)


technique = Technique(
    __name__,
    env_prefix="",
    source="PR #1394; int5 MLPs and int6 bigram tables from PR #180, float16 from PRs #42, #99",
    hyperparameters=(
        bits("matrix_bits", 6, "of an attention matrix and, unless told, of an MLP's"),
        bits("mlp_bits", 0, "of an MLP's matrix; 0: as matrix_bits", least=0),
        bits("embed_bits", 8, "of the token embedding, and of an untied head"),
        bits("bigram_bits", 8, "of a bigram table and its projection"),
        bits("other_bits", 8, "of any other table or matrix"),
        Hyperparameter(
            "fp16_keep_name_patterns",
            "",
            "parts of names, with commas between; what has one in its name stays float16",
            env="FP16_KEEP_NAME_PATTERNS FP16_PASSTHROUGH_PATTERNS INT8_KEEP_FP16_NAME_PATTERNS",
        ),
    ),
)
