"""Orthogonalise Muon's updates with coefficients of their own at each iteration (Polar Express)."""

from pgolf_compose import Technique


def misfit(values) -> str:
    if values["muon_backend_steps"] > 5:
        return "muon_backend_steps is more than the 5 iterations of polar_express"
    return ""


technique = Technique(
    __name__,
    source="arXiv:2505.16932; PR #1344, PR #1539",
    switch="USE_POLAR_EXPRESS POLAR_EXPRESS",
    misfit=misfit,
)
