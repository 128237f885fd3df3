"""Train through weights rounded as for storage, with gradients as if they were not (QAT).

A model in training mode reads rounded weights from the switch on, in test-time updates too, as in
the public scripts. `switch` is about torch.compile: PR #315 and its heirs threw a switch that the
torch of their time had made part of the compiled graph, and trained on as before. Here it is a
tensor that each graph reads: it takes effect at once, and nothing is compiled anew when it is
thrown, nor in more variants before the clock; until then every weight is rounded in vain, which is
an element-wise pass beside each matrix product.
"""

from pgolf_compose import Hyperparameter, Technique, choice


def misfit(values) -> str:
    if values["late_qat_start"] == "always" and values["late_qat_switch"] == "baked":
        return "with start: always nothing is switched in late_qat: leave switch out"
    return ""


technique = Technique(
    __name__,
    source="arXiv:1308.3432; PR #65; late: PR #297, PR #315",
    switch="LATE_QAT",
    misfit=misfit,
    smoke={"LATE_QAT_THRESHOLD": "0.9"},
    hyperparameters=(
        choice(
            "start",
            {
                "rate": "once rates are below a share of their peak, PR #315",
                "time": "after a share of the wall clock's cap, never without one, PR #297",
                "always": "from the first step, PR #65",
            },
            "when rounding begins",
        ),
        choice(
            "grid",
            {
                "row_max_floor": "a row's maximum / 31, at least 1 / 31, PR #265",
                "row_max": "a row's maximum / 31, PR #297",
                "clip_floor": "a row's maximum, at least 1 / 31, / 31, PR #63",
                "quantile": "a row's quantile 0.9999984 / 31, PR #65",
                "every_fourth": "every fourth step of a row's maximum / 127, PR #86",
            },
            "the step of a row's grid, here of 6 bits",
        ),
        choice(
            "matrices",
            {
                "all": "every linear layer, PR #265",
                "blocks": "those of the blocks, PR #297",
                "others": "those outside the blocks, as where these lie in banks, PR #549",
            },
            "which matrices are rounded",
        ),
        choice(
            "switch",
            {
                "live": "rounding begins when it is thrown, compiled or not",
                "baked": "training stays as it is; test-time updates round, as PR #549 did",
            },
            "whether training feels the switch",
        ),
        Hyperparameter("bits", 6, "of the grid", minimum=2, maximum=8),
        Hyperparameter(
            "threshold",
            0.15,
            "share of the peak that rates are below when it starts",
            minimum=0,
            env="LATE_QAT_THRESHOLD QAT_THRESHOLD",
        ),
        Hyperparameter(
            "start_frac", 0.85, "of the cap that is over then", minimum=0, env="QAT_START_FRAC"
        ),
        Hyperparameter(
            "lr_factor", 1.0, "on all rates from its start on", minimum=0, env="QAT_LR_FACTOR"
        ),
    ),
)
