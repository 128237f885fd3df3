"""Read whole sequences in random order from shards dealt out to processes, each once an epoch."""

from pgolf_compose import Technique

technique = Technique(
    __name__,
    source="PR #1394",
    ranks_matter="each process draws from its own shards, with its rank as the seed",
)
