"""Scores that others have published: a README may compare itself with them."""

from pgolf_compose.audit.audited import Audited
from pgolf_compose.audit.known import Known, Pool
from pgolf_compose.errors import ComposeError
from pgolf_compose.leaderboard import read_leaderboard
from pgolf_compose.recipe import bundled_recipes
from pgolf_compose.yaml_file import read_yaml

__all__ = ["published"]


def published(audited: Audited, kind: str) -> Pool:
    """Numbers of a kind (bpb, loss, spread) in the leaderboards and in our recipes."""
    key = ("published", kind)
    if key not in audited.cache:
        everything = [*rows(audited), *recipes()] if kind == "bpb" else rows(audited)
        audited.cache[key] = Pool(one for one in everything if one.kind == kind)
    return audited.cache[key]


def rows(audited: Audited) -> list[Known]:
    found = []
    files = {getattr(track, "leaderboard", None) for track in audited.library.tracks.values()}
    for path in filter(None, files):
        for row in read_leaderboard(path):
            label = f"leaderboard, {f'#{row.pr}' if row.pr else row.name}"
            means = [row.val_bpb, sum(row.seeds) / len(row.seeds)] if row.seeds else [row.val_bpb]
            found += [Known(one, label, "bpb") for one in (*means, *row.seeds)]
            if row.val_loss is not None:
                found.append(Known(row.val_loss, label, "loss"))
            if row.std is not None:
                found.append(Known(row.std, label, "spread"))
    return found


def recipes() -> list[Known]:
    found = []
    for name, path in bundled_recipes().items():
        try:
            about = (read_yaml(path).data or {}).get("submission") or {}
        except (ComposeError, AttributeError):
            continue
        if isinstance(about.get("val_bpb"), float):
            found.append(Known(about["val_bpb"], f"recipe {name}", "bpb"))
    return found
