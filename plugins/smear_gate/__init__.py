"""Mix each position's embedding with the one before it, channel by channel, by learned gates."""

from pgolf_compose import Technique, choice

technique = Technique(
    __name__,
    env_prefix="SMEAR",
    source="PR #65, PR #162; idea of PR #102 and PR #135",
    after=("bigram_hash",),
    before=("eval_hash_embedding",),
    switch="SMEARGATE USE_SMEARGATE",
    keeps={"20": "a BOS has nothing before it"},
    hyperparameters=(
        choice(
            "form",
            {
                "mix0": "of the normed stream, half of the one before at first (PR #162)",
                "keep3": "before the norm, all embeddings added, 5% at first (PR #65)",
                "keep5": "of token embeddings alone, 1% at first (PR #301, where it was off)",
            },
            "where it mixes, and how much of the position before it starts with",
        ),
        choice(
            "documents",
            {
                "apart": "a BOS, token 1, mixes with nothing (PR #1851)",
                "across": "as every gate before: the last token of a document reaches the next",
            },
            "whether it mixes across documents",
            breaks={"across": {"20": "a document's first position reads the one before it"}},
        ),
    ),
)
