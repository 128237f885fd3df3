"""Scale what the branches of layer i read by 1/sqrt(i + 1), so that depth adds less and less."""

from pgolf_compose import Technique

technique = Technique(__name__, source="PR #315", switch="LN_SCALE")
