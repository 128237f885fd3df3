"""Start the token embedding with singular values that fall like 1/sqrt(k), as overtones do."""

from pgolf_compose import Technique

technique = Technique(__name__, source="PR #60, PR #297")
