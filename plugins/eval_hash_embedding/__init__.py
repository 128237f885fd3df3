"""Learn a hashed embedding of pairs of tokens from nothing while the text is scored.

Its sum has the stream's type; public scripts went on in float32, the table's, from there.
"""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="HASH_EMBED",
    source="PR #1460, PR #1523, PR #1529",
    switch="HASH_EMBED_ENABLED",
    requires={"score_first_ttt": "its updates train the table"},
    keeps={
        "C1": "a row is chosen by input tokens",
        "C3": "rows learn from scored chunks only",
    },
    hyperparameters=(
        Hyperparameter("size", 16384, "rows of the table, not in the artifact", minimum=1),
    ),
)
