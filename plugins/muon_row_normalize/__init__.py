"""Give every row of Muon's update the same length before it is orthogonalised (MuonEq-R)."""

from pgolf_compose import Technique, choice

technique = Technique(
    __name__,
    source="arXiv:2603.28254; PR #1217, PR #1260",
    switch="MUON_ROW_NORMALIZE MUONEQ_R",
    hyperparameters=(
        choice(
            "orientation",
            {
                "stored": "of the matrix as it is stored, in float32, PR #1285; by their RMS, as "
                "in PR #640, is the same: one factor for all, which the iteration takes out",
                "transposed": "after a tall matrix was laid on its side, so that its columns are "
                "normalised, in the iteration's type, PR #1539",
            },
            "what counts as a row",
        ),
    ),
)
