"""Keep the logits' normaliser near 1 by a small loss on the square of its logarithm (PaLM).

Public scripts also added it to what they scored without overlapping windows; scores here do not
have it.
"""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    source="arXiv:2204.02311; PR #301, PR #640",
    hyperparameters=(Hyperparameter("weight", 1e-4, "of the square", minimum=0),),
)
