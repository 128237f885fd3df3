"""Score every token with nearly a full window of context before it, by windows that overlap."""

from pgolf_compose import Hyperparameter, Technique


def misfit(values) -> str:
    if values["eval_stride"] > (values["eval_seq_len"] or values["train_seq_len"]):
        return "eval_stride is longer than a window of eval_seq_len tokens"
    return ""


technique = Technique(
    __name__,
    env_prefix="EVAL",
    source="PR #50; every target once since PR #1218",
    keeps={
        "C4": "each target is scored in one window only",
        "14": "the windows cover the whole split",
    },
    switch="SLIDING_WINDOW_ENABLED",
    misfit=misfit,
    smoke={"EVAL_STRIDE": "32"},
    hyperparameters=(
        Hyperparameter("stride", 64, "targets that a window adds", "tokens", minimum=1),
        Hyperparameter("batch_seqs", 32, "windows of a batch", minimum=1),
    ),
)
