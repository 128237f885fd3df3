"""Keep whatever is not quantised as float16: gains, scales, mixes and small matrices."""

from pgolf_compose import Technique

technique = Technique(__name__, source="PR #1394")
