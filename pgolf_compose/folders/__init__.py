"""A submission's folder: what its submission.json states, what its logs show, where they differ."""

from pgolf_compose.folders.agreement import Agreement, agreement
from pgolf_compose.folders.figures import Difference, SeedAgreement, differences, distinct
from pgolf_compose.folders.folder import Folder, read_folder
from pgolf_compose.json_file import Claim

__all__ = [
    "Agreement",
    "Claim",
    "Difference",
    "Folder",
    "SeedAgreement",
    "agreement",
    "differences",
    "distinct",
    "read_folder",
]
