"""Train on each chunk of the validation text after it has been scored, never before."""

from pgolf_compose import Hyperparameter, Technique, choice


def misfit(values) -> str:
    if values["ttt_chunk_tokens"] < (values["eval_seq_len"] or values["train_seq_len"]):
        return "ttt_chunk_tokens is less than one sequence of eval_seq_len tokens"
    return ""


technique = Technique(
    __name__,
    env_prefix="TTT",
    source="PR #461, PR #549, PR #1413",
    keeps={
        "C3": "a chunk is scored before it trains",
        "C4": "each window is scored once",
        "1": "only scored chunks train",
    },
    after=("sliding_window_eval",),
    switch="TTT_ENABLED",
    requires={"sliding_window_eval": "its windows score each chunk"},
    misfit=misfit,
    smoke={"TTT_CHUNK_TOKENS": "4096"},
    hyperparameters=(
        Hyperparameter("chunk_tokens", 32768, "scored, then trained on", "tokens", minimum=1),
        Hyperparameter("epochs", 3, "over a scored chunk", minimum=0),
        Hyperparameter("lr", 0.005, "at the first chunk, a cosine down to 0", minimum=0),
        choice(
            "optimizer",
            {"sgd": "with momentum, PR #461", "adamw": "PR #1523"},
            "its state is kept across chunks",
            env="TTT_OPTIMIZER",
        ),
        Hyperparameter("momentum", 0.9, "of SGD", minimum=0, maximum=1),
        Hyperparameter("adamw_wd", 0.0, "weight decay of AdamW", minimum=0),
        Hyperparameter("freeze_blocks", 0, "first blocks that do not train", minimum=0),
        Hyperparameter("batch_seqs", 32, "sequences of an update", minimum=1),
        Hyperparameter("grad_clip", 1.0, "of all gradients; 0: no clip", minimum=0),
        Hyperparameter("compile", False, "updates run compiled, PR #1539", settled=True),
    ),
)
