"""Read every shard in strides coprime to its number of blocks, so that none repeats early."""

from pgolf_compose import Hyperparameter, Technique, choice

technique = Technique(
    __name__,
    env_prefix="COPRIME",
    source="PR #726, PR #1060, PR #1120",
    ranks_matter="which windows make a batch depends on how many processes share it",
    hyperparameters=(
        choice(
            "order",
            {
                "sampled": "batches mix shards drawn by what they have left, one order for all "
                "processes, seeded by the text of the shards' paths, PR #726, PR #1060",
                "deterministic": "each process keeps to a shard for many batches, everything "
                "follows from SEED, PR #1120",
            },
            "how windows are chosen",
        ),
        Hyperparameter(
            "shard_hold_steps", 64, "deterministic: before the next shard", "batches", minimum=1
        ),
        Hyperparameter(
            "shards_per_batch", 1, "deterministic: that a process reads side by side", minimum=1
        ),
        Hyperparameter("max_loaded_shards", 4, "deterministic: open at a time", minimum=1),
    ),
)
