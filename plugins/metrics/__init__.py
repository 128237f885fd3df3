"""Append every number of a run to a file of JSON lines, at full precision."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    hyperparameters=(
        Hyperparameter("path", "metrics.jsonl", "file that the lines are appended to"),
    ),
    measuring=True,
)
