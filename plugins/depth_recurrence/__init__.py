"""Run some layers several times over with one set of weights, from mid-training on.

What a run is about to compile is compiled before the clock, always: RECUR_WARMUP_STEPS of PR #1285
is WARMUP_STEPS here. The blocks of PR #1204, each visit with scales and gains of its own around
shared matrices, are no form of this one.
"""

from pgolf_compose import Hyperparameter, Technique, choice


def misfit(values) -> str:
    if "repeat" in values["depth_recurrence_form"]:
        again = values["recur_layers"]
        if not again or list(again) != sorted({*again}) or again[-1] >= values["num_layers"]:
            return "recur_layers are to be layers below num_layers, in order"
        return ""
    if not values["loop_start"] <= values["loop_end"] < values["num_layers"]:
        return "loop_start to loop_end is no stretch of num_layers layers"
    if values["depth_recurrence_form"] == "progressive" and (
        values["num_loops"] < 1 or values["loop_phase2_at"] < values["enable_looping_at"]
    ):
        return "loop_phase2_at comes after enable_looping_at, and num_loops is at least 1"
    return ""


technique = Technique(
    __name__,
    env_prefix="",
    source="PR #1394, idea of PR #1204",
    misfit=misfit,
    smoke={"ENABLE_LOOPING_AT": "0.5", "LOOP_PHASE2_AT": "0.7", "RECUR_START_STEP": "3"},
    hyperparameters=(
        choice(
            "form",
            {
                "loop": "num_loops more passes over a stretch, all at once: PR #1394",
                "progressive": "one more pass at first, all of them later: PR #1412",
                "repeat": "recur_layers once more after the last of them; decoder steps beyond "
                "the skip weights of the plan without repeats have no skip: PR #1334, PR #1539",
                "repeat_last_skip": "as repeat, but those steps share the last weights: PR #1285",
            },
            "which layers run again, and when",
        ),
        Hyperparameter("num_loops", 2, "more passes over the stretch", minimum=0),
        Hyperparameter("loop_start", 4, "first layer of the stretch, from 0", minimum=0),
        Hyperparameter("loop_end", 5, "last layer of the stretch", minimum=0),
        Hyperparameter(
            "enable_looping_at", 0.5, "of training, when loops begin", minimum=0, maximum=1
        ),
        Hyperparameter(
            "loop_phase2_at", 0.65, "of training, when all passes are run", minimum=0, maximum=1
        ),
        Hyperparameter("recur_layers", (4, 5), "that run twice", minimum=0),
        Hyperparameter("recur_start_step", 3000, "from which they do", minimum=0),
    ),
)
