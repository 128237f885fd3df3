"""What a track wants of a submission, and what logs show of it: nothing else is ticked."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pgolf_compose.build import Build
from pgolf_compose.errors import listed
from pgolf_compose.legality import kept, noncompliance
from pgolf_compose.resolve import Composition
from pgolf_compose.submission.evidence import Results, Run, script_name

__all__ = ["Check", "checks", "untold"]


@dataclass(frozen=True)
class Check:
    """A demand, whether it is met (None: not checked), and what shows it."""

    demand: str
    met: bool | None = None
    evidence: str = ""
    details: tuple[str, ...] = ()  # a line each

    def __str__(self) -> str:
        box = "x" if self.met else " "
        told = self.evidence if self.met else "not checked"
        if self.met is False:
            told = f"**not met**: {self.evidence}"
        elif self.met is None and self.evidence:
            told = f"not checked; {self.evidence}"
        return "\n  - ".join([f"- [{box}] {self.demand}: {told}", *self.details])


def checks(build: Build, results: Results) -> list[Check]:
    """What the track wants, as far as logs show it. Nothing is ticked that none shows."""
    track, runs = build.composition.track, results.runs
    name = script_name(build)
    found = [seeds(build, results), of_script(build, results), of_recipe(results)]
    if track.train_seconds:
        demand = f"trained within {track.train_seconds:g} s"
        found.append(within(demand, runs, "train_ms", track.train_seconds))
    if track.eval_seconds:
        demand = f"evaluated within {track.eval_seconds:g} s"
        found.append(within(demand, runs, "eval_ms", track.eval_seconds))
    if track.artifact_bytes:
        found.append(sizes(build, runs))
    if track.hardware:
        found.append(hardware(build, runs))
    return [
        *found,
        Check(f"`recipe.yaml` composes to `{name}`", None, "`pgolf-compose audit .` tells"),
        rules(build.composition),
    ]


def rules(composition: Composition) -> Check:
    demand = "no rule of the track is broken"
    if broken := noncompliance(composition):
        return Check(demand, False, broken)
    stated = composition.track.rules
    near = [
        f"`{name}` keeps rule {rule}: {stated[rule]}"
        for name, names in kept(composition).items()
        for rule in names
    ]
    told = "no technique declares to break one, and no code was audited for it"
    if near:
        told += "; rules that are near, as techniques declare them:"
    return Check(demand, None, told, tuple(near))


def seeds(build: Build, results: Results) -> Check:
    count, runs = build.composition.track.seeds, results.runs
    demand = f"logs of at least {count} seed{'s' * (count > 1)}, each run to its end"
    if not runs:
        return Check(demand)
    told = [
        (
            f"{run.line(*([run.log.score.line] if run.log.score else []))} {run.log.metric}"
            if run.log.complete
            else f"{run.line()} {run.log.reason or 'is not complete'}"
        )
        for run in runs
    ]
    told += [f"no log of seed {seed}" for seed in results.pending]
    complete = all(run.log.complete for run in runs) and not results.pending
    met = complete and len(runs) >= count
    return Check(demand, met, "; ".join(told))


def of_script(build: Build, results: Results) -> Check:
    name = script_name(build)
    demand = f"every log is of `{name}` as it lies here"
    if not results.runs:
        return Check(demand)
    told, met = [], True
    for run in results.runs:
        if run.script == "small" and run.whole:
            told.append(f"{run.line(1)} begins with it, byte for byte")
        elif run.script == "small":
            told.append(f"{run.at('bytes_code')} tells of its size, {len(build.packed)} bytes")
            met = met and None
        elif run.script == "readable":
            told.append(f"{run.line(run.script_line)} is of the readable twin")
            met = False
        else:
            told.append(f"{run.line()} tells nothing of its script")
            met = met and None
    return Check(demand, met, "; ".join(told))


def of_recipe(results: Results) -> Check:
    demand = "values in the logs are those of `recipe.yaml`"
    runs = results.runs
    if not runs or not all(run.whole for run in runs):
        told = [
            f"{run.line()} states {run.values} of them, each as there" for run in runs if run.values
        ]
        return Check(demand, None, "; ".join(told))
    told = [f"{run.line()} begins with the script that has them" for run in runs]
    return Check(demand, True, "; ".join(told))


def within(demand: str, runs: Sequence[Run], name: str, limit: float) -> Check:
    if not runs or any(run.value(name) is None for run in runs):
        return Check(demand)
    told = [f"{run.at(name)} {seconds(run.value(name))} s" for run in runs]
    met = all(run.value(name) <= Decimal(str(1000 * limit)) for run in runs)
    return Check(demand, met, "; ".join(told))


def seconds(ms: Decimal) -> str:
    return f"{ms / 1000:f}"


def sizes(build: Build, runs: Sequence[Run]) -> Check:
    limit = build.composition.track.artifact_bytes
    demand = f"script and compressed model within {limit:,} bytes"
    totals = [run.value("artifact_bytes") for run in runs]
    if not runs or None in totals:
        return Check(demand)
    told = [f"{run.at('artifact_bytes')} {run.value('artifact_bytes'):,}" for run in runs]
    return Check(demand, max(totals) <= limit, "; ".join(told))


def hardware(build: Build, runs: Sequence[Run]) -> Check:
    track = build.composition.track
    demand = f"run on {track.hardware}"
    told = [
        f"{run.line()} tells of {run.log.world_size} process{'es' * (run.log.world_size > 1)}"
        for run in runs
        if run.log.world_size is not None
    ]
    wrong = any(run.log.world_size not in (None, track.processes) for run in runs)
    told += sorted({f"{run.line()} names {run.log.hardware}" for run in runs if run.log.hardware})
    return Check(demand, False if wrong else None, "; ".join(told))


def untold(results: Results, seeds: Sequence[int]) -> list[str]:
    """What a reader should know of the runs and no demand asks for."""
    found = []
    if seeds and (more := [run.seed for run in results.runs if run.seed not in seeds]):
        found.append(f"not among the seeds of the recipe: {listed(map(str, more))}")
    for run in results.runs:
        found += [f"{run.name}: {note}" for note in run.log.notes]
    return found
