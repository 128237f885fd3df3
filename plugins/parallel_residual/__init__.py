"""From a layer on, let attention and MLP work side by side: on one stream, or on one each."""

from pgolf_compose import Hyperparameter, Technique, choice

technique = Technique(
    __name__,
    source="GPT-J; PR #1412; two lanes from PR #1204",
    switch="PARALLEL_RESIDUAL",
    after=("depth_recurrence",),
    before=("backout",),
    hyperparameters=(
        choice(
            "form",
            {
                "joint": "both read one stream and add to it together: GPT-J, PR #1412",
                "merge": "two lanes, a learned share of each at the end; the first has the skips: "
                "PR #1477, PR #1523, PR #1539",
                "merge_skipless": "as merge, but skips after the split reach no lane: PR #1334",
                "cross": "two lanes that both have the skips; attention writes both, then the MLP "
                "reads and writes them: PR #1204",
                "deferred": "as cross, but both read before either writes, and the skips reach the "
                "first only: PR #1529",
            },
            "what attention and MLP read and write",
        ),
        Hyperparameter(
            "start",
            7,
            "first layer that does, from 0",
            minimum=0,
            env="PARALLEL_RESIDUAL_START PARALLEL_START_LAYER",
        ),
    ),
)
