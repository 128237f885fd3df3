"""Give layers that run again an MLP of their own for it, copied from the first when that begins."""

from pgolf_compose import Hyperparameter, Technique


def misfit(values) -> str:
    if "repeat" in values["depth_recurrence_form"]:
        again = {*values["recur_layers"]}
    else:
        again = {*range(values["loop_start"], values["loop_end"] + 1)}
    if not {*values["repeat_untie_mlp_layers"]} <= again:
        return "repeat_untie_mlp_layers holds layers that do not run again"
    return ""


technique = Technique(
    __name__,
    env_prefix="REPEAT_UNTIE_MLP",
    source="PR #1204",
    switch="UNTIE_LOOP_MLPS",
    requires={"depth_recurrence": "it makes layers run again"},
    misfit=misfit,
    hyperparameters=(
        Hyperparameter("layers", (4, 5), "whose later visits have their own MLP", minimum=0),
    ),
)
