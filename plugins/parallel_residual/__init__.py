"""From a layer on, let attention and MLP read the same stream and add to it together (GPT-J)."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="GPT-J; PR #1412",
    hyperparameters=(Hyperparameter("start", 7, "first layer that does, from 0", minimum=0),),
)
