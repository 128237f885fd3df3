"""Add an embedding of each pair of neighbouring tokens, which share a small table by a hash."""

from pgolf_compose import Hyperparameter, Technique, choice

technique = Technique(
    __name__,
    env_prefix="BIGRAM",
    source="PR #65, PR #135, PR #162",
    hyperparameters=(
        choice(
            "hash",
            {
                "xor": "36313 token xor 27191 previous, the last bucket for the first position; "
                "table 0, projection as other matrices, a learned scale of 0.05 (PR #162)",
                "mul92821": "92821 previous + token, previous 0 at first; "
                "table N(0, 0.01), projection 0, no scale (PR #65)",
                "mul31": "31 previous + token, previous the token itself at first; "
                "table N(0, 1), projection 0, no scale (PR #301)",
                "mul1009": "1009 previous + token, previous 0 at first; "
                "table N(0, 0.01), projection 0, no scale (PR #277)",
            },
            "how a pair finds its bucket, and what table and projection start from",
        ),
        choice(
            "table_optimizer",
            {
                "embedding": "that of token embeddings, at their rate (PR #65, PR #162)",
                "muon": "that of matrices (PR #301)",
                "scalar": "that of scalars, at their rate; table and projection, where too small "
                "for integers, are stored as scalars are (PR #277)",
            },
            "what trains the table",
        ),
        choice(
            "proj_optimizer",
            {
                "muon": "that of matrices (PR #65, PR #162)",
                "scalar": "that of scalars, at their rate (PR #549)",
            },
            "what trains the projection",
        ),
        Hyperparameter(
            "train_only", False, "quirk of PR #301: evaluations leave it out", settled=True
        ),
        Hyperparameter(
            "vocab_size",
            4096,
            "buckets; below 2: no table, nothing is added",
            minimum=0,
            env="BIGRAM_VOCAB_SIZE BIGRAM_HASH_BUCKETS BIGRAM_BUCKETS",
        ),
        Hyperparameter(
            "dim",
            128,
            "width of the table",
            minimum=1,
            env="BIGRAM_DIM BIGRAM_HASH_DIM BIGRAM_EMBED_DIM",
        ),
    ),
)
