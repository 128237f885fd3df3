"""What people ask of a composed script: how large, how many parameters, legal, what changed."""

import math
from dataclasses import dataclass

from pgolf_compose.build import Build
from pgolf_compose.errors import listed
from pgolf_compose.legality import kept, noncompliance
from pgolf_compose.recipe import written
from pgolf_compose.resolve import Composition
from pgolf_compose.shapes import Unknown, parameter_shapes
from pgolf_compose.stored import Class, model_classes

__all__ = ["Facts", "changes", "classes", "facts", "told", "verdict"]


@dataclass(frozen=True)
class Facts:
    """Figures of a build. What could not be told is None, and `why` says why."""

    readable_bytes: int
    readable_lines: int
    parameters: int | None
    artifact: tuple[int, int] | None  # least and most bytes of code and compressed model
    limit: int | None
    why: str
    verdict: str
    changes: tuple[str, ...] | None  # against what the recipe extends
    idle: tuple[str, ...]  # settings given, but read by no line


def facts(build: Build, code_bytes: int | None = None) -> Facts:
    """`code_bytes` is the small file's size, where the artifact is to be told."""
    composition = build.composition
    parameters = artifact = None
    why = ""
    try:
        shapes = parameter_shapes(build.script, composition.host.model)
        parameters = sum(math.prod(shape) for shape in shapes.values())
        if code_bytes is not None:
            artifact, why = predicted(build, shapes, code_bytes)
    except Unknown as error:
        why = f"not told without torch: {error}" if composition.host.model else ""
    return Facts(
        readable_bytes=len(build.readable),
        readable_lines=len(build.script.lines),
        parameters=parameters,
        artifact=artifact,
        limit=composition.track.artifact_bytes,
        why=why,
        verdict=verdict(composition, artifact),
        changes=changes(build.parent, composition) if build.parent else None,
        idle=idle(build),
    )


def told(build: Build, small: bool = True) -> list[tuple[str, str]]:
    """In a few lines what people ask of a build next; without the small file, what needs none."""
    found = facts(build, len(build.packed) if small else None)
    rows = []
    if found.parameters is not None:
        rows.append(("parameters", f"{found.parameters:,}"))
    if found.artifact:
        least, most = (f"{size / 1e6:.2f}" for size in found.artifact)
        limit = f" of {found.limit / 1e6:.2f} MB allowed" if found.limit else " MB"
        rows.append(("artifact", f"about {least} to {most}{limit}, going by public runs"))
    if small and build.packer.slow:
        seconds = build.packer.slow * len(build.minified)
        each = f"{seconds:.0f} s more at each start, by {1000 * build.packer.slow} ms a byte"
        rows.append(("starts", f"about {each}"))
    if found.why:
        rows.append(("artifact" if found.parameters else "parameters", found.why))
    rows.append(("rules", found.verdict))
    if found.idle:
        rows.append(("no effect", f"{', '.join(found.idle)}: no line of this script reads it"))
    if found.changes is not None:
        parent = build.composition.recipe.parent.name
        rows.append(("changes", f"{', '.join(found.changes) or 'none'}; against {parent}"))
    return rows


def idle(build: Build) -> tuple[str, ...]:
    """Settings that the recipe itself or the command line gives and the script does not hold."""
    path = build.composition.recipe.path
    given = [
        one
        for one in build.composition.assignments
        if one.where is not None and getattr(one.where, "path", path) == path
    ]
    return tuple(
        one.attribute
        for one in given
        if not one.hyperparameter.settled and f" {one.attribute} = env(" not in build.script.code
    )


# where a technique changes what `model_classes` asks the script itself for, or nothing of its size
ASKED = {f"quantize.{name}" for name in ("label", "bits", "after_bits", "scales", "keep")}
ASKED |= {"quantize.calibrate", "artifact.container", "artifact.codec", "artifact.written"}


def predicted(build: Build, shapes: dict, code_bytes: int) -> tuple[tuple[int, int] | None, str]:
    """Code and compressed model, by the host's own rule or by the classes of its tensors."""
    composition = build.composition
    if not changed_how_it_is_stored(build):
        if composition.host.artifact_bytes is None:
            return None, f"{composition.host.name} does not predict it"
        settings = {
            one.hyperparameter.name: one.value
            for one in composition.assignments
            if one.declared is composition.host
        }
        sizes = composition.host.artifact_bytes(shapes, settings)
    else:
        found, why = classes(build)
        if why:
            return None, why
        sizes = (sum(one.bytes[end] for one in found) for end in (0, 1))
    least, most = (size + code_bytes for size in sizes)
    return (least, most), ""


def changed_how_it_is_stored(build: Build) -> dict[str, set[str]]:
    """The techniques that did, but for those that measure, with the places."""
    found: dict[str, set[str]] = {}
    for one in build.composition.fragments:
        if (
            one.place.partition(".")[0] in ("quantize", "dequantize", "artifact")
            and not build.technique(one.owner).measuring
        ):
            found.setdefault(one.owner, set()).add(one.place)
    return found


def classes(build: Build) -> tuple[list[Class], str]:
    """The model's classes of tensors and their bytes, or why they are not told."""
    changed = changed_how_it_is_stored(build)
    # integers that make up for each other's errors have the histogram of those that do not
    unknown = [
        name
        for name, places in changed.items()
        if places - ASKED - ({"quantize.solve"} if name == "gptq" else set())
    ]
    if unknown:
        return [], f"not predicted: {listed(sorted(unknown))} changed how it is made"
    try:
        return model_classes(build.script), ""
    except Unknown as error:
        return [], f"not predicted: {error}"


def oversize(composition: Composition, artifact: tuple[int, int] | None) -> str:
    """A sentence where even the least that is predicted is more than the track allows."""
    limit = composition.track.artifact_bytes
    if not artifact or not limit or artifact[0] <= limit:
        return ""
    return f"too large for {composition.track.name}: {limit:,} bytes are allowed"


def verdict(composition: Composition, artifact: tuple[int, int] | None = None) -> str:
    """What the declarations say about the track's rules; no script is audited here."""
    track = composition.track
    found = [noncompliance(composition), oversize(composition, artifact)]
    measuring = [one.name for one in composition.techniques if one.measuring]
    if measuring:
        are = "is" if len(measuring) == 1 else "are"
        found.append(f"not for submission: {listed(measuring)} {are} for measuring")
    seconds = next(
        (one for one in composition.assignments if one.attribute == "max_wallclock_seconds"), None
    )
    if track.train_seconds and seconds and not 0 < seconds.value <= track.train_seconds:
        found.append(
            f"over the limits of {track.name}: max_wallclock_seconds is {seconds.value:g}, "
            f"the track allows {track.train_seconds:g}"
        )
    near = ", ".join(f"{listed(rules)} ({name})" for name, rules in kept(composition).items())
    near = near and f"; declared to keep {near}"
    return "; ".join(filter(None, found)) or (
        f"no technique is known to break a rule of {track.name}{near} (the code is not audited)"
    )


def changes(old: Composition, new: Composition) -> tuple[str, ...]:
    """`+ ema`, `- swa`, `matrix_lr 0.04 -> 0.022`: from one composition to another."""
    olds, news = ({one.name for one in side.techniques} for side in (old, new))
    found = [f"+ {name}" for name in sorted(news - olds)]
    found += [f"- {name}" for name in sorted(olds - news)]
    values = {one.attribute: one.value for one in old.assignments}
    for one in new.assignments:
        if one.attribute in values and values[one.attribute] != one.value:
            before = written(values[one.attribute])
            found.append(f"{one.attribute} {before} -> {written(one.value)}")
        elif one.attribute not in values and one.where is not None:
            found.append(f"{one.attribute} {written(one.value)}")
    if old.track != new.track:
        found.append(f"track {old.track.name} -> {new.track.name}")
    return tuple(found)
