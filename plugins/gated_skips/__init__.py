"""Let a learned gate choose, channel by channel, between the stream and the encoder's skip."""

from pgolf_compose import Technique

technique = Technique(__name__, source="PR #1089", switch="SKIP_GATES_ENABLED")
