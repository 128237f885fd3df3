"""Store integers and scales side by side in one dictionary, without types or schemes."""

from pgolf_compose import Technique

technique = Technique(__name__, source="PR #1394")
