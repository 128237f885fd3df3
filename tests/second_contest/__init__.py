"""Byte Golf: a contest of another kind, as a package of its own would bring it along.

The best model of English bytes in 100 kB, trained for a minute on one core. What the contest is
stands in tracks/, its script in pages/; nothing of it is known to pgolf_compose.
"""

from pathlib import Path

from pgolf_compose import Dataset, hookimpl, read_tracks

from .pages import host
from .witten_bell import technique


@hookimpl
def register_tracks():
    return read_tracks(Path(__file__).parent / "tracks")


@hookimpl
def register_templates():
    return [host]


@hookimpl
def register_techniques():
    return [technique]


@hookimpl
def register_datasets():
    files = ("prose/train.txt", "prose/val.txt")
    return [Dataset("prose", "English text as it is", files=files, settings={"text": "prose"})]
