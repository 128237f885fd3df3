"""Any log of the challenge as one value: scores, curve, sizes, how far the run came.

Which score is the submission's: **the last evaluation of the compressed artifact over the whole
split that the log's last run printed**, in the order of lines, never the best. So a worse score of
a later test-time training counts, as it is what the script submits. What training prints on its
way and what is named a diagnostic are not of the artifact; running values are no scores. Lines that
say the same (`x` and `x_exact`, or one score under two names) are one evaluation: its printing with
most digits counts, and of these the first, so a name that repeats an earlier score's digits is an
alias. A name that nobody has used yet counts as the artifact's if training had ended; a bare
`val_bpb: 1.08` only if no named evaluation is there. `words.yaml` has the words that tell one kind
of name from another.
"""

from pgolf_compose.logs.curve import Point
from pgolf_compose.logs.finding import find_logs, natural
from pgolf_compose.logs.log import Figure, Log
from pgolf_compose.logs.reading import read_log
from pgolf_compose.logs.scores import Score
from pgolf_compose.logs.source import Source, marked_lines

__all__ = [
    "Figure",
    "Log",
    "Point",
    "Score",
    "Source",
    "find_logs",
    "marked_lines",
    "natural",
    "read_log",
]
