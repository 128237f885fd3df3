"""Whether a folder's logs give the score that its submission.json states.

Which logs a claimed score is held to, in this order: the log or logs of the seeds that the json
names (one log per seed: of several, the one whose score the json states for that seed), averaged;
a folder's only run; all of its runs, averaged. Logs that tell the same run twice count once. A log
of another purpose, such as an ablation's, is one whose score the json states under a key of its own
(`best_10min_sp1024_val_bpb`): it is left out, and so are a seed's other logs; both are named.
"""

from dataclasses import dataclass
from decimal import Decimal

from pgolf_compose.errors import listed
from pgolf_compose.folders.figures import (
    SeedAgreement,
    distinct,
    log_of_seed,
    mean,
    rounds_to,
    score_of,
    seed_of,
    seed_rows,
)
from pgolf_compose.folders.folder import Folder
from pgolf_compose.folders.reasons import place, reason, row_text, shown_value, told_scores
from pgolf_compose.json_file import Claim
from pgolf_compose.logs import Log

__all__ = ["KINDS", "Agreement", "agreement"]


KINDS = {
    "seed": "the log of the seed that the json names",
    "seeds": "the mean over the seeds that the json names",
    "log": "the folder's only run",
    "logs": "the mean over all runs",
    "no claim": "the json states no val_bpb",
    "no log": "no log in the folder",
    "no score": "no log has a score",
    "one of several": "the score of one run of several, their mean is another",
    "another score": "a score of the log that is not the submission's",
    "other scores": "a mean with scores that are not the submission's",
    "some": "the mean over some of the runs",
    "more digits": "a score of the log, with digits that it does not print",
    "rounded": "the mean of rounded values",
    "cut": "digits cut off, not rounded",
    "own mean": "the mean of the json's own values for seeds, which the logs do not give",
    "seed missing": "a seed that the json names has no log",
    "differs": "no score of the logs",
}


@dataclass(frozen=True)
class Agreement:
    """Whether the logs give the json's val_bpb, to the digits that it states, and if not, why."""

    equal: bool
    kind: str  # how it was found or why not; see KINDS
    text: str
    claim: Claim | None = None
    value: Decimal | None = None  # what the logs give
    logs: tuple[Log, ...] = ()  # that it was taken from
    seeds: tuple[SeedAgreement, ...] = ()


def agreement(folder: Folder) -> Agreement:
    """Whether the folder's logs give its val_bpb, or why they do not."""
    claim = folder.val_bpb
    if claim is None:
        return no_claim(folder)
    if not folder.logs:
        return Agreement(False, "no log", "no log in this folder", claim)
    runs = distinct(log for log in folder.logs if score_of(log) is not None)
    if not runs:
        return unscored(folder, claim)
    elsewhere = [log for log in runs if stated_elsewhere(folder, log)]
    runs = [log for log in runs if log not in elsewhere] or runs
    for kind, chosen in candidates(folder, runs):
        value = mean(score_of(log) for log in chosen)
        if rounds_to(value, claim):
            rows = seed_rows(folder, chosen)
            text = f"{claim.text} is {how(kind, chosen)}{left_out(folder, chosen)}"
            wrong = [row for row in rows if row.equal is False]
            if wrong:
                text += "; but " + listed(map(row_text, wrong))
            for log in chosen:
                if not log.complete:
                    text += f"; {log.path.name} is not whole: {log.reason}"
            return Agreement(True, kind, text, claim, value, tuple(chosen), rows)
    why = reason(folder, runs, claim)
    rows = seed_rows(folder, why.logs or runs)
    return Agreement(False, why.kind, why.text, claim, why.value, tuple(why.logs), rows)


def stated_elsewhere(folder: Folder, log: Log) -> bool:
    """Whether a key that is neither the headline's nor a seed's states the log's score."""
    value = score_of(log)
    own = {claim.key for claims in folder.seeds.values() for claim in claims.values()}
    return not rounds_to(value, folder.val_bpb) and any(
        claim.digits >= 5 and rounds_to(value, claim)
        for claim in folder.claims
        if claim.key not in own and "bpb" in claim.key.lower() and not claim.key.startswith("seed")
    )


def candidates(folder: Folder, runs: list[Log]) -> list[tuple[str, list[Log]]]:
    """The runs that the claim may be of, by the rules of this module, the first first."""
    result = []
    if folder.named_seeds:
        chosen = [log_of_seed(folder, runs, seed) for seed in folder.named_seeds]
        if None not in chosen:
            result.append(("seed" if len(chosen) == 1 else "seeds", chosen))
    result.append(("log" if len(runs) == 1 else "logs", runs))
    return result


def how(kind: str, logs: list[Log]) -> str:
    if kind in ("seed", "log"):
        (log,) = logs
        return f"{log.score.text} of {log.path.name} ({log.score.name}, line {log.score.line})"
    value = shown_value(mean(map(score_of, logs)))
    of = "seeds " + listed(str(seed_of(log)) for log in logs) if kind == "seeds" else "all logs"
    return f"the mean {value} of {len(logs)} logs ({of})"


def left_out(folder: Folder, chosen: list[Log]) -> str:
    keys = {(log.steps, log.train_ms, log.score and log.score.text) for log in chosen}
    others = [
        log.path.name
        for log in folder.logs
        if (log.steps, log.train_ms, log.score and log.score.text) not in keys
    ]
    return f"; not counted: {listed(others)}" if others else ""


def no_claim(folder: Folder) -> Agreement:
    if not folder.about:
        return Agreement(False, "no claim", "no submission.json in this folder")
    runs = distinct(log for log in folder.logs if score_of(log) is not None)
    text = "submission.json states no val_bpb"
    if (loss := folder.val_loss) is not None and runs:
        value = mean(map(score_of, runs))
        if abs(value - loss.value) <= Decimal(1).scaleb(-loss.digits):
            same = "is" if rounds_to(value, loss) else "is, but for its last digit,"
            text += f"; its val_loss {loss.text} {same} the logs' mean val_bpb {shown_value(value)}"
    return Agreement(False, "no claim", text)


def unscored(folder: Folder, claim: Claim) -> Agreement:
    text = "no log has a final score"
    for log in folder.logs:
        for score in told_scores(log):
            if rounds_to(Decimal(score.text), claim):
                text = f"the json's value is {place(log, score)}; {log.reason}"
                return Agreement(False, "no score", text, claim, Decimal(score.text), (log,))
    reasons = listed(f"{log.path.name}: {log.reason}" for log in folder.logs[:3])
    return Agreement(False, "no score", f"{text} ({reasons})", claim)
