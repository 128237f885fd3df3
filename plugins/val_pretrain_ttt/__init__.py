"""Train on the validation text, then score the same text; never legal in a submission."""

from pgolf_compose import Hyperparameter, Technique, choice

technique = Technique(
    __name__,
    env_prefix="TTT",
    source="PR #366, PR #301, PR #297; before quantisation PR #277, PR #1485, PR #1539",
    switch="TTT_ENABLED SGD_TTT_ENABLED",
    ranks_matter="each process has batches of its own, so more of them make fewer updates",
    breaks={
        "C3": "every target has been trained on before it is scored",
        "1": "its optimizer reads the validation text before any of it is scored",
    },
    conflicts={"score_first_ttt": "both are test-time training under the names TTT_*"},
    after=("ema", "swa", "sliding_window_eval"),
    smoke={"TTT_EPOCHS": "1"},
    hyperparameters=(
        choice(
            "when",
            {
                "before_scoring": "the artifact as read back trains, then all scores, PR #366",
                "extra_score": "after the scores one more, and back, PR #301, PR #297",
                "before_quantisation": "it trains into the artifact, PR #277, PR #1539",
            },
            "when it trains",
            breaks={"before_quantisation": {"6": "the artifact holds what the text taught"}},
        ),
        Hyperparameter("epochs", 3, "over the validation text", minimum=0),
        Hyperparameter("lr", 0.002, "at the start", minimum=0, env="TTT_LR SGD_TTT_LR"),
        Hyperparameter(
            "cosine_decay",
            False,
            "per epoch along a cosine towards a tenth of lr, PR #277, PR #1539",
            settled=True,
            env="TTT_COSINE_DECAY",
        ),
        choice(
            "optimizer",
            {"sgd": "with momentum, PR #366", "adamw": "PR #277, PR #1539"},
            "what makes the updates",
            env="TTT_OPTIMIZER",
        ),
        Hyperparameter(
            "momentum", 0.9, "of SGD", minimum=0, maximum=1, env="TTT_MOMENTUM SGD_TTT_MOMENTUM"
        ),
        Hyperparameter("adamw_wd", 0.0, "weight decay of AdamW", minimum=0),
        Hyperparameter(
            "batch_seqs",
            32,
            "sequences of an update",
            minimum=1,
            env="TTT_BATCH_SEQS SGD_TTT_BATCH_SEQS",
        ),
        Hyperparameter(
            "batches_overlap",
            False,
            "quirk of PR #1539: each batch holds the first sequence of the next one too",
            settled=True,
        ),
        Hyperparameter("grad_clip", 1.0, "of all gradients; 0: no clip", minimum=0),
        choice(
            "processes",
            {
                "all_reduce": "each has its share of the text, gradients are averaged, PR #366",
                "rank_0_only": "each trains alone on its share, one's weights count, PR #301",
                "average_at_end": "each trains on all the text, weights are averaged, PR #297",
            },
            "what several processes do",
        ),
        Hyperparameter("freeze_blocks", 2, "first blocks that do not train", minimum=0),
        choice(
            "freeze",
            {
                "blocks": "the first blocks, PR #366",
                "blocks_and_embedding": "tok_emb too, PR #301",
                "block_scalars": "what is no matrix in them, PR #1539: its matrices lie in banks",
            },
            "what does not train",
        ),
        Hyperparameter(
            "mlp_only",
            False,
            "nothing but the MLPs trains, PR #277",
            settled=True,
            env="TTT_MLP_ONLY",
        ),
        Hyperparameter("compile", False, "updates run compiled, PR #1539", settled=True),
    ),
)
