"""Round each column so that later ones make up for its error on real inputs (GPTQ)."""

from pgolf_compose import Hyperparameter, Technique, choice


def misfit(values) -> str:
    if 0 < values["max_wallclock_seconds"] <= values["gptq_reserve_seconds"]:
        return "gptq_reserve_seconds leaves nothing of max_wallclock_seconds to train in"
    return ""


technique = Technique(
    __name__,
    source="arXiv:2210.17323; full Hessians from PR #535, embeddings from PR #1394",
    keeps={
        "7": "calibrated on training data",
        "8": "its time is taken from the training budget: reserve_seconds",
    },
    misfit=misfit,
    smoke={"GPTQ_CALIBRATION_BATCHES": "4"},
    hyperparameters=(
        choice(
            "head",
            {
                "compensated": "rounded as any matrix, by the last hidden state, PR #1394",
                "nearest": "rounded to the nearest, PRs #1218, #1539",
            },
            "how the matrix that predicts is rounded, which embeds as well where they are tied",
        ),
        Hyperparameter("calibration_batches", 64, "micro-batches of training data", minimum=1),
        Hyperparameter(
            "reserve_seconds", 12.0, "of the training budget, kept for calibration", minimum=0
        ),
        Hyperparameter("damp", 0.01, "of the mean curvature, added to all of it", minimum=1e-6),
        Hyperparameter(
            "damp_collected", 0.0, "the same a first time, before; 0.01 in PR #1019", minimum=0
        ),
    ),
)
