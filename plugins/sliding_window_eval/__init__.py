"""Score every token with nearly a full window of context before it, by windows that overlap."""

from pgolf_compose import Hyperparameter, Technique, choice


def misfit(values) -> str:
    window = values["eval_seq_len"] or values["train_seq_len"]
    if values["eval_stride"] > window:
        return "eval_stride is longer than a window of eval_seq_len tokens"
    if values["eval_windows"] == "gap" and 2 * values["eval_stride"] > window:
        return "with windows: gap, eval_stride is at most half of eval_seq_len"
    return ""


AGAIN = {"C4": "the short windows at the end score the last targets again and again"}
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
        choice(
            "windows",
            {
                "once": "the last window may be short: every target is scored once, PR #1218",
                "repeat_tail": "windows at every stride to the end of the split, PR #50",
                "repeat_tail_full_stride": "as repeat_tail, none shorter than a stride, PR #180",
                "full_only": "windows of full length only, PR #60",
                "skip_start": "as full_only, the first one scores its last stride too, PR #65",
                "gap": "as full_only, the second starts a stride before the first ends, PR #63",
            },
            "which windows there are, and which of their targets count",
            breaks={
                "repeat_tail": AGAIN,
                "repeat_tail_full_stride": AGAIN,
                "full_only": {"14": "less than a stride at the end is not scored"},
                "skip_start": {"14": "the first targets, a window less a stride, are not scored"},
                "gap": {"14": "a window less two strides after the first is not scored"},
            },
        ),
        choice(
            "replaces",
            {
                "nothing": "it is one more score of the artifact, PR #65",
                "roundtrip": "it is the only score of the artifact, PR #50",
                "all": "every evaluation goes by windows, those in training too, PR #301",
            },
            "which evaluations by rows that do not overlap it stands for",
        ),
    ),
)
