"""Train the shipped weights on the validation text, then score them on the same text."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="TTT",
    source="PR #366",
    switch="TTT_ENABLED",
    ranks_matter="each process has batches of its own, so more of them make fewer updates",
    breaks={
        "C3": "every target has been trained on before it is scored",
        "1": "its optimizer reads the validation text before any of it is scored",
    },
    conflicts={"score_first_ttt": "both are test-time training under the names TTT_*"},
    hyperparameters=(
        Hyperparameter("lr", 0.002, "of SGD", minimum=0),
        Hyperparameter("momentum", 0.9, "of SGD", minimum=0, maximum=1),
        Hyperparameter("epochs", 3, "over the validation text", minimum=0),
        Hyperparameter("batch_seqs", 32, "sequences of an update", minimum=1),
        Hyperparameter("freeze_blocks", 2, "first blocks that do not train", minimum=0),
        Hyperparameter("grad_clip", 1.0, "of all gradients; 0: no clip", minimum=0),
    ),
)
