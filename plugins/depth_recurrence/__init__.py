"""Run a stretch of layers several times over with one set of weights, from mid-training on."""

from pgolf_compose import Hyperparameter, Technique


def misfit(values) -> str:
    if not values["loop_start"] <= values["loop_end"] < values["num_layers"]:
        return "loop_start to loop_end is no stretch of num_layers layers"
    return ""


technique = Technique(
    __name__,
    env_prefix="",
    source="PR #1394, idea of PR #1204",
    misfit=misfit,
    smoke={"ENABLE_LOOPING_AT": "0.5"},
    hyperparameters=(
        Hyperparameter("num_loops", 2, "more passes over the stretch", minimum=0),
        Hyperparameter("loop_start", 4, "first layer of the stretch, from 0", minimum=0),
        Hyperparameter("loop_end", 5, "last layer of the stretch", minimum=0),
        Hyperparameter(
            "enable_looping_at", 0.5, "of training, when loops begin", minimum=0, maximum=1
        ),
    ),
)
