"""What loggers, launchers and clusters put in front of a line."""

import re

__all__ = ["unprefixed"]

STAMP = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
LEVEL = r"(?:INFO|DEBUG|WARNING)"
KNOWN = "|".join(
    (
        rf"\[?{STAMP}\]?",
        r"\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?",
        r"\[\d,\d+\]<std\w+>:",  # mpirun
        r"\[?(?:rank|default)[ _]?\d+\]?:?",  # torchrun
        r"(?:node|host|worker|task|proc|gpu)[ _-]?\d+:(?=\s)",
        r"\[[\w.-]{1,40}:(?:rank)?\d+\]:?",
        r"\((?:rank|worker|pid)[^()]*\)",  # Ray
        r"wandb:\s",
        rf"\[{LEVEL}\]:?|{LEVEL}\b:?",
        r"\d{1,3}:(?=\s)",  # srun -l
        r"\d{1,6}:(?=[A-Za-z])|\s{0,6}\d{1,6}\t",  # grep -n, cat -n
        r">\s",  # a quotation
        r"[\w-]+-\d+\s+\|",  # docker compose
    )
)
PREFIX = re.compile(rf"(?:{KNOWN})[: ]?\s?")
BETWEEN = re.compile(rf"[-|]\s|\[?[\w.]+\]?(?: - | )(?={LEVEL}\b)")
CLUSTER = re.compile(rf"[^\n]{{0,80}}?{STAMP} std(?:out|err) [FP] ")  # kubernetes
MOST = 5  # prefixes of one line


def unprefixed(line: str) -> str:
    """A line without timestamps, ranks and levels before its text.

    >>> unprefixed("2026-04-01 12:00:00,123 - INFO - [rank0]: seed:42")
    'seed:42'
    """
    if " F " in line[:120] and (match := CLUSTER.match(line)):
        line = line[match.end() :]
    for time in range(MOST):
        match = PREFIX.match(line)
        match = match or (BETWEEN.match(line) if time else None)
        if not match:
            return line
        line = line[match.end() :]
    return line
