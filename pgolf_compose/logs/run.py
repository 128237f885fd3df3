"""What is known of one run: its curve, setup, sizes, ending and scores."""

import re
from dataclasses import replace

from pgolf_compose.logs.curve import Curve
from pgolf_compose.logs.ending import Ending
from pgolf_compose.logs.lines import Reading, partial, remark
from pgolf_compose.logs.pairs import finite
from pgolf_compose.logs.scores import Score, settled
from pgolf_compose.logs.setup import Setup
from pgolf_compose.logs.sizes import Sizes
from pgolf_compose.logs.words import kind_of, of_training

__all__ = ["Run"]

MOST_SCORES = 2_000
MOST_NOTES = 20
RANKS = 16  # scores back that another rank may have printed
LONGEST_NUMBER = 40
OF_SEED = re.compile(r"(?<![a-z])seed[ _=:#-]{0,2}(\d{1,10})(?![\d.])", re.I)


class Run:
    def __init__(self, first_line: int) -> None:
        self.first_line = first_line
        self.scores: list[Score] = []
        self.curve = Curve()
        self.setup = Setup()
        self.sizes = Sizes()
        self.ending = Ending()
        self.notes: dict[str, None] = {}

    @property
    def began(self) -> bool:
        return self.curve.began or bool(self.scores)

    def settled(self) -> tuple[Score, ...]:
        return settled(self.scores, self.curve.last_line)

    def note(self, text: str) -> None:
        if len(self.notes) < MOST_NOTES:
            self.notes[text] = None

    def take_score(
        self, number: int, line: str, reading: Reading, has_step: bool, whole: bool
    ) -> None:
        """Keeps what a line tells, if it is a score of the whole split.

        `whole`: the line ends within the file, so that its last number has all of its digits.
        """
        if any(pair and pair.broken(line) for pair in (reading.bpb, reading.loss)):
            return
        name = re.sub(r"\s+(?:sliding_)?(?:val_bpb|val_loss|bpb|loss)$", "", reading.name)
        kind = "training" if has_step and of_training(name) else kind_of(name)
        if kind == "training":
            name = "step"
        elif kind in ("progress", "derived") or partial(line):
            self.ending.take_stage(line)
            return
        if (seed := self.other_seed(line)) is not None:
            self.note(f"line {number} tells of seed {seed}, this run's is {self.setup.seed}")
            return
        text = reading.bpb.text if reading.bpb else ""
        bpb, loss = finite(reading.bpb), finite(reading.loss)
        if len(text) > LONGEST_NUMBER or (bpb is not None and not 0 < bpb < 100):
            return
        digits = len(text.partition(".")[2]) if bpb is not None else 0
        if not whole and self.clipped(line, reading, digits):
            self.note(f"line {number} is cut off within a score")
            self.ending.stage = name
            return
        if reading.bpb is None and (kind == "plain" or self.curve.last_step is None):
            return
        words = remark(line, reading.end)
        if kind != "training" and kind_of(words) == "diagnostic":
            name += f" ({words})"
        score = Score(name, bpb, loss, number, reading.seconds, digits, kind == "artifact", text)
        self.keep(score)

    def keep(self, score: Score) -> None:
        for back, other in enumerate(reversed(self.scores[-RANKS:])):
            same = other == replace(score, line=other.line, seconds=other.seconds)
            if same and (score.name != "step" or back == 0):
                return
        if score.name != "step":
            self.ending.went_on()
        self.scores.append(score)
        if len(self.scores) > MOST_SCORES:
            kept = [s for s in self.scores if s.name != "step"]
            some = kept if len(kept) <= MOST_SCORES // 2 else self.scores
            self.scores = some[-MOST_SCORES // 2 :]

    def other_seed(self, line: str) -> int | None:
        """The seed that a line is of, if this run's is known and another."""
        named, own = OF_SEED.search(line), self.setup.seed
        return int(named[1]) if named and own is not None and int(named[1]) != own else None

    def clipped(self, line: str, reading: Reading, digits: int) -> bool:
        """Whether the file's last characters, a number, may lack digits."""
        if reading.bpb is None:
            return True
        if line[reading.end :].strip(".eE+-"):
            return False
        if reading.loss is not None:
            return digits < len(reading.loss.text.partition(".")[2])
        return digits < max((s.digits for s in self.scores if s.final), default=4)
