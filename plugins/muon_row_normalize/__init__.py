"""Give every row of Muon's update the same length before it is orthogonalised (MuonEq-R)."""

from pgolf_compose import Technique

technique = Technique(
    __name__, source="arXiv:2603.28254; PR #1217, PR #1260", switch="MUON_ROW_NORMALIZE"
)
