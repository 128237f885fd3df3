"""Store b-bit integers in b bits each, eight of them in b bytes, where a byte would hold one."""

from pgolf_compose import Technique

technique = Technique(__name__, source="PR #301")
