"""Why a log ends where it ends: errors, and stages that began and gave no score."""

import re

from pgolf_compose.logs.words import failures

__all__ = ["Ending", "begins_stage"]

ERROR = re.compile(
    r"(?:[\w]+\.)*_?[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Timeout|Refused|Killed)(?:: |:?$)"
)
RAISED = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:: |:?$)")  # below a traceback
FAILS = re.compile(  # what every pattern of words.yaml's failures contains
    r"error|timeout|timed out|signal|sig[a-z]{3,4}\b|fault|abort|killed|no space|interrupt|limit"
    r"|failed|terminated|preempt|broken pipe|remote host|\^C",
    re.I,
)
GLOG = re.compile(r"\[?([WEIF])\d{3,4} \d\d:\d\d:\d\d")  # what torch's own loggers print
PROGRESS = re.compile(
    r"(?<![\w-])([A-Za-z][\w-]{0,40})\b[^|=]{0,24}?[\s\[:bc](\d{1,18})/(\d{1,18})(?![\d/.])"
)
STARTS = re.compile(r"\b(start|starting|begin|beginning|compiling|warming)\b", re.I)
STAGE = re.compile(r"(?<![a-z])(ttt|eval|slot|sliding|scor\w+|roundtrip|evaluat\w+)(?![a-z])", re.I)
LONGEST = 200


def begins_stage(line: str) -> bool:
    """Whether a line may begin, or count, something after training."""
    return "/" in line or STARTS.search(line) is not None


class Ending:
    """Takes lines; forgets what it knew of when the run goes on."""

    def __init__(self) -> None:
        self.went_on()

    def went_on(self) -> None:
        """A step or a score was printed: what was before did not end the run."""
        self.error = self.reason = self.stage = ""
        self.rank = len(failures())  # of the reason; the gravest is 0
        self.in_traceback = False

    @property
    def failure(self) -> str:
        if self.error and self.reason and self.reason not in self.error:
            return f"{self.reason} ({self.error})"
        return self.error or self.reason

    def take_stage(self, line: str) -> None:
        """What goes on after training, in case that nothing comes of it."""
        if line.startswith("stopping_early") or GLOG.match(line):
            return
        found = PROGRESS.search(line)
        if found and "step" not in found[1] and int(found[2]) <= int(found[3]):
            self.stage = f"{found[1]} {int(found[2]):,} of {int(found[3]):,}"
        elif STARTS.search(line) and (stage := STAGE.search(line)):
            self.stage = stage[1].lower()

    def take_failure(self, line: str) -> None:
        if line[:1] in "|+":  # of a table
            return
        error = ERROR.match(line) or (self.in_traceback and RAISED.match(line))
        if line.startswith("Traceback (most recent"):
            self.in_traceback = True
        elif error:
            self.in_traceback = False
        if error and "ChildFailedError" not in line and not self.error:
            self.error = line[:LONGEST]
        if FAILS.search(line) and ("death signal" in line or not warning(line)):
            for rank, (pattern, reason) in enumerate(failures()[: self.rank]):
                if pattern.search(line):
                    self.reason, self.rank = reason, rank
                    break


def warning(line: str) -> bool:
    glog = GLOG.match(line)
    return "warning" in line.lower() or (glog is not None and glog[1] == "W")
