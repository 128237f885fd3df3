"""Clip each row at a multiple of its standard deviation: one number sets the size of all."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="",
    source="PR #1394; weighted by curvature PR #1412, the least clip PR #1539",
    hyperparameters=(
        Hyperparameter(
            "matrix_clip_sigmas",
            12.85,
            "where a matrix's rows clip",
            "deviations",
            minimum=0.01,
            env="MATRIX_CLIP_SIGMAS SDCLIP_K_INT6",
        ),
        Hyperparameter(
            "embed_clip_sigmas",
            20.0,
            "where an embedding's rows clip",
            "deviations",
            minimum=0.01,
            env="EMBED_CLIP_SIGMAS SDCLIP_K_INT8",
        ),
        Hyperparameter(
            "sdclip_least_clip", 0.0, "no row clips below this; 1 in PR #1539", minimum=0
        ),
        Hyperparameter(
            "hessian_clip_lambda",
            0.0,
            "how much more room rows of large weights on large inputs get, with gptq",
            minimum=0,
            maximum=1,
        ),
    ),
)
