"""From a run to the Log that tells it: which score counts, and why the run is not whole."""

import re
from pathlib import Path

from pgolf_compose.logs.log import Log
from pgolf_compose.logs.run import Run
from pgolf_compose.logs.scores import Score, by_evaluation, evaluations, rounded_alike

__all__ = ["log_of"]

SEED_IN_NAME = re.compile(r"(?<![a-z])(?:seed|s)[ _=-]?(\d{1,10})(?!\d)", re.I)
ASKED_FOR = {"ttt_enabled": "ttt", "sliding_window_enabled": "sliding"}  # and in a score's name


def log_of(run: Run, path: Path, in_source: bool) -> Log:
    """What a run tells; `in_source`: the log ends within a script that it prints."""
    scores = run.settled()
    score = counting(evaluations(scores))
    seed, seed_from, seed_notes = seed_of(run, path)
    timed = ([s.seconds for s in one if s.seconds is not None] for one in by_evaluation(scores))
    seconds = [max(times) for times in timed if times]
    model, code, total = run.sizes.of_artifact(scored=score is not None)
    reason = why(run, score, in_source)
    return Log(
        path=path,
        scores=scores,
        score=score,
        points=tuple(run.curve.points),
        seed=seed,
        seed_from=seed_from,
        steps=run.curve.last_step,
        total_steps=run.curve.total_steps,
        train_ms=run.curve.train_ms,
        eval_seconds=round(sum(seconds), 6) if seconds else None,
        bytes_model=model,
        bytes_code=code,
        bytes_total=total,
        world_size=run.setup.world_size,
        hardware=run.setup.hardware,
        versions=run.setup.versions,
        hyperparameters=run.setup.values,
        complete=not reason,
        reason=reason,
        notes=tuple(dict.fromkeys([*run.notes, *unlike_any(scores), *seed_notes])),
    )


def counting(each: tuple[Score, ...]) -> Score | None:
    """The last evaluation; a loss alone only where no bits per byte were printed."""
    last = each[-1] if each else None
    if last and last.val_bpb is None and not last.text:
        return next((score for score in reversed(each) if score.val_bpb is not None), last)
    return last


def unlike_any(scores: tuple[Score, ...]) -> list[str]:
    """Notes of values that sum up another, but equal none that an evaluation printed."""
    printed = [score.text for score in scores if score.final or score.name == "step"]
    return [
        f"line {one.line} says {one.text}, which no evaluation printed"
        for one in scores
        if one.text and one.kind == "plain" and not one.final
        if not any(rounded_alike(one.text, text) for text in printed)
    ]


def seed_of(run: Run, path: Path) -> tuple[int | None, str, list[str]]:
    """The seed, where it is from, and a note if the file's name says another."""
    named = [int(one) for one in SEED_IN_NAME.findall(path.stem)]
    printed = run.setup.seed
    if printed is None:
        return (named[0], "file name", []) if named else (None, "", [])
    if named and "seed" in path.stem.lower() and printed != named[0]:
        told = f"prints seed {printed}; the file's name says {named[0]}"
        return printed, "printed", [told]
    return printed, "printed", []


def why(run: Run, score: Score | None, in_source: bool) -> str:
    """Why the log is not a whole run's, or nothing."""
    failure, stage = run.ending.failure, run.ending.stage
    if score and score.val_bpb is None:
        return f"the last score, {score.name}, is {score.text or 'no number of bits per byte'}"
    if score and failure:
        return f"failed after {score.name}: {failure}"
    if score and stage:
        return f"ends within {stage}; the last whole score is {score.name}"
    if score and run.curve.last_step is None:
        return "no step of training in it, only scores"
    if score:
        return asked_for(run)
    where = how_far(run, in_source)
    return f"{where}: {failure}" if failure else where


def how_far(run: Run, in_source: bool) -> str:
    if run.curve.last_step is not None:
        if not run.curve.done:
            return f"ends at {run.curve.reached}, no final score"
        where = "training ended, but the artifact was never scored"
        return f"{where} (ends within {run.ending.stage})" if run.ending.stage else where
    if in_source:
        return "ends within the script that it prints"
    if not run.setup.values and not run.scores:
        return "no step of training and no score in it"
    return "ends before the first step of training"


def asked_for(run: Run) -> str:
    """What the printed hyperparameters turn on and no score names."""
    names = " ".join(score.name.lower() for score in run.scores)
    for switch, word in ASKED_FOR.items():
        if run.setup.values.get(switch) == "True" and word not in names:
            return f"{switch} is True, but no score of it was printed"
    return ""
