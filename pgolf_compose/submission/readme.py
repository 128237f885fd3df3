"""README.md of a submission, from a build and what logs show. Its prose is a Jinja template."""

import os
import re
from collections.abc import Collection, Sequence
from decimal import Decimal
from pathlib import Path

import jinja2

from pgolf_compose import __version__
from pgolf_compose._bundled import ROOT
from pgolf_compose.account import METHOD, account, side_by_side
from pgolf_compose.build import Build
from pgolf_compose.data import DATASETS
from pgolf_compose.legality import noncompliance
from pgolf_compose.product import shares_above
from pgolf_compose.report import changes
from pgolf_compose.resolve import Composition
from pgolf_compose.submission.checklist import Check
from pgolf_compose.submission.evidence import Results, Run, script_name
from pgolf_compose.submission.markup import code, linked, plain, table
from pgolf_compose.technique import Technique

__all__ = ["readme"]

TOLD = 20  # bytes; the shares of techniques that differ by less are added up


def readme(
    build: Build,
    results: Results,
    checks: Sequence[Check],
    remarks: Sequence[str],
    folder: Path,
    command: str,
    comparison: str = "",
    carried: Collection[str] = (),
) -> str:
    """The page with all its sections. `comparison` is Markdown, left out if empty.

    `folder` is where it lies below the contest's root; `carried` names the techniques whose files
    are in it.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "templates" / "submission"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    environment.filters |= {"plain": plain, "code": code}
    composition, track = build.composition, build.composition.track
    about = composition.recipe.submission
    return environment.get_template("README.md.jinja").render(
        title=about.get("name") or build.name,
        name=build.name,
        blurb=about.get("blurb"),
        author=about.get("author"),
        github_id=about.get("github_id"),
        noncompliant=noncompliance(composition),
        builds_on=builds_on(composition),
        results=results,
        headline=headline(results),
        figures=figures(results) if results.runs else "",
        sources=sources(results.runs) if results.runs else "",
        remarks=remarks,
        comparison=comparison,
        parent=composition.recipe.parent,
        changed=changed(build) if build.parent else {},
        techniques=techniques(build, carried),
        sizes=sizes(build, results),
        script=script_name(build),
        human=f"{composition.host.script}_human.py",
        run=run_commands(build, results, folder),
        command=command,
        version=__version__,
        checks=checks,
        track=track,
    )


def builds_on(composition: Composition) -> str:
    """What the recipe extends, and what that goes back to: the credits of a lineage; Markdown."""
    above, found = composition.recipe.parent, []
    while above:
        about = above.submission
        pull = linked(f"PR #{about['pr']}", composition.track.pulls) if about.get("pr") else ""
        name = "" if pull and found else code(above.name)
        author = f"by {plain(about['author'])}" if about.get("author") else ""
        found.append(", ".join(filter(None, [name, pull, author])))
        above = above.parent
    if not found:
        return ""
    further = f", which goes back to {'; '.join(found[1:])}" if found[1:] else ""
    return f"Builds on {found[0]}{further}."


def number(value: Decimal | None) -> str:
    return "not told" if value is None else format(value, "f")


def headline(results: Results) -> str:
    """The score that is claimed, in bold; empty where a run has none."""
    mean, std, runs = results.mean("val_bpb"), results.std("val_bpb"), results.runs
    if mean is None:
        return ""
    if len(runs) == 1:
        return f"**val_bpb {mean:f}**, seed {runs[0].seed}."
    return f"**val_bpb {mean:f}**, mean of {len(runs)} seeds, sample standard deviation {std:f}."


def figures(results: Results) -> str:
    """A row for each seed, pending ones as well, with mean and deviation below."""
    head = ["seed", "val_bpb", "val_loss", "steps", "train s", "eval s", "artifact bytes"]
    rows = [
        [
            str(run.seed),
            number(run.value("val_bpb")),
            number(run.value("val_loss")),
            number(run.value("steps")),
            number(run.train_seconds),
            number(run.eval_seconds),
            number(run.value("artifact_bytes")),
        ]
        for run in results.runs
    ]
    rows += [[str(seed), *["pending"] * 6] for seed in results.pending]
    names = ("val_bpb", "val_loss")
    if len(results.runs) > 1:
        rows.append(["mean", *(number(results.mean(name)) for name in names), "", "", "", ""])
        deviations = (number(results.std(name)) for name in names)
        rows.append(["sample std", *deviations, "", "", "", ""])
    return table(head, rows, range(7))


def sources(runs: Sequence[Run]) -> str:
    """Where each figure stands: the lines of each log."""
    head = ["seed", "log", "score", "line", "training", "evaluation", "bytes"]
    rows = []
    for run in runs:
        places = [("val_bpb", "val_loss"), ("steps", "train_ms"), ("eval_ms",)]
        places.append(("bytes_model", "bytes_code", "bytes_total"))
        lines = ({line for name in names for line in run.lines(name)} for names in places)
        cells = [", ".join(map(str, sorted(one))) for one in lines]
        metric = code(run.log.metric) if run.log.metric else ""
        rows.append([str(run.seed), f"[{run.name}]({run.name})", metric, *cells])
    return table(head, rows)


def changed(build: Build) -> dict:
    """Techniques, values and bytes against what the recipe extends; tables in Markdown."""
    found = changes(build.parent, build.composition)
    chosen = [one for one in found if one[:2] in ("+ ", "- ")]
    values = [one for one in found if one not in chosen]
    above = shares_above(build)
    shares = side_by_side(above, account(build)[0])
    # a technique that is the same in both moves by a few bytes with what stands around it
    rows = [one for one in shares if abs(one[2] - one[1]) >= TOLD or (not one[1]) ^ (not one[2])]
    others = [one[1:] for one in shares if one not in rows and any(one[1:])]
    rows = [(code(name), *both) for name, *both in rows]
    if others:
        rows.append((f"{len(others)} others, together", *map(sum, zip(*others, strict=True))))
    rows.append(("the file", sum(row.packed for row in above), len(build.packed)))
    head = ["of the script's bytes", "before", "here", "difference"]
    cells = [[name, f"{a:,}", f"{b:,}", f"{b - a:+,}"] for name, a, b in rows]
    return {
        "techniques": [code(one) for one in chosen],
        "settings": [code(one) for one in values],
        "bytes": table(head, cells, (1, 2, 3)),
        "method": METHOD.removeprefix("packed: "),
    }


def techniques(build: Build, carried: Collection[str]) -> str:
    """One row for each, with its source and who brought it; empty without any."""
    pulls = build.composition.track.pulls
    rows = []
    for one in build.composition.techniques:
        brought = build.library.provider(one)
        # what came from a folder is in this one, and where that lay is nobody's concern
        brought = plain(brought) if re.fullmatch(r"\S+ \S+", brought) else ""
        here = f"techniques/{one.name}"
        brought = f"[{here}]({here})" if one.name in carried else brought
        said = [linked(one.source, pulls)] if one.source else []
        said += [linked(text, pulls) for text in options(build.composition, one)]
        said += [f"from {brought}"] if brought else []
        rows.append([code(one.name), plain(one.summary), "; ".join(said)])
    return table(["technique", "what it does", "source and credit"], rows) if rows else ""


def options(composition: Composition, technique: Technique) -> list[str]:
    """`head: compensated (rounded as any matrix, PR #1394)`: what was chosen, where it matters."""
    chosen = composition.settled(technique)
    return [
        f"{one.name} {chosen[one.name]}: {one.options[chosen[one.name]]}"
        for one in technique.hyperparameters
        if one.settled and one.options.get(chosen.get(one.name))
    ]


def sizes(build: Build, results: Results) -> str:
    """Code, model and what the limit leaves; models by seed."""
    name, limit = script_name(build), build.composition.track.artifact_bytes
    shipped = len(build.packed)
    rows = [[f"`{name}`, as shipped", f"{shipped:,}"]]
    totals = []
    for run in results.runs:
        total = run.value("artifact_bytes")
        if total is None:
            rows.append([f"compressed model, seed {run.seed}", "not told"])
            continue
        totals.append(total)
        rows.append([f"compressed model, seed {run.seed}", f"{total - shipped:,}"])
        rows.append([f"both together, seed {run.seed}", f"{total:,}"])
    rows += [[f"compressed model, seed {seed}", "pending"] for seed in results.pending]
    if limit:
        rows.append([f"limit of {plain(build.composition.track.name)}", f"{limit:,}"])
    if limit and totals:
        left = limit - max(totals)
        rows.append(["room left, by the largest", f"{left:,}" if left >= 0 else f"none: {left:,}"])
    return table(["what", "bytes"], rows, (1,))


def run_commands(build: Build, results: Results, folder: Path) -> dict:
    """The commands that install, fetch and train, and where they start."""
    composition, track = build.composition, build.composition.track
    by_name = {one.attribute: one for one in composition.assignments}
    environment = {
        name: by_name[name].env.split()[0]
        for name in ("seed", "run_id", "data_dir")
        if name in by_name and set(by_name[name].env.split()) & build.keep
    }
    read = {name for one in composition.assignments for name in one.env.split()}
    said = {run.log.world_size for run in results.runs}
    processes = said.pop() if len(said) == 1 and None not in said else track.processes
    start = "python" if processes == 1 else f"torchrun --standalone --nproc_per_node={processes}"
    seeds = [run.seed for run in results.runs] + list(results.pending)
    trains = []
    for seed in seeds:
        values = {"seed": seed, "run_id": f"train_seed{seed}"}
        given = [
            f"{environment[key]}={value}" for key, value in values.items() if key in environment
        ]
        trains.append(" ".join([*given, start, script_name(build)]))
    return {
        "folder": folder.as_posix(),
        "data": data_command(build),
        "data_dir": environment.get("data_dir", ""),
        "above": Path(os.path.relpath("data", folder)).as_posix(),
        "train": trains,
        "reads": [code(name) for name in sorted(read & build.keep)],
    }


def data_command(build: Build) -> str:
    """What fetches the recipe's dataset; a vocabulary tells which where the recipe names none."""
    dataset = build.composition.dataset
    if dataset is None:
        sizes = {one.attribute: one.value for one in build.composition.assignments}
        name = f"sp{sizes.get('vocab_size')}"
        dataset = next((one for one in DATASETS if one.name == name), None)
    return dataset.fetch if dataset else ""
