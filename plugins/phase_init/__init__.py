"""Start early layers with more of the first embedding and late ones with more of the stream."""

from pgolf_compose import Technique

technique = Technique(__name__, source="PR #60, PR #297")
