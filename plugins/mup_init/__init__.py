"""Start output projections that are not zero by 1/sqrt(2 layers) smaller, as muP has it.

Those of attention and MLP start at zero: it acts on those of bigram_hash and value_embedding.
"""

from pgolf_compose import Technique

technique = Technique(__name__, source="PR #162")
