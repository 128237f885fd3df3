"""Let each process average and orthogonalise only its share of the matrices (Parallel Muon)."""

from pgolf_compose import Technique, choice

technique = Technique(
    __name__,
    source="PR #399, PR #549",
    ranks_matter="each process clips its own gradients, before they are averaged",
    hyperparameters=(
        choice(
            "warmup_momentum",
            {
                "reset": "warm-up leaves none behind, as elsewhere, PR #549",
                "kept": "quirk: what warm-up steps left is where training starts from, "
                "PR #1523, PR #1529",
            },
            "of the matrices when training starts",
        ),
    ),
)
