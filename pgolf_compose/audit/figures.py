"""Numbers in a README that look like results, and whether anything in the folder says the same.

What counts as a result, of all the numbers in a README's text, lists, tables and headings:

- scores: three or more decimals from 0.9 to 4.5 where bpb is named in the same cell, column or
  clause, and any number of four or more decimals from 1.0 to 1.3; losses alike, where named,
  or with five decimals or more between 1.5 and 4.2
- spreads, behind ± or beside "std"; differences, of four decimals or more, signed or beside words
  such as "gain" or a unit
- bytes: whole numbers from 1,000 beside "bytes" or in a column about size, and megabytes with two
  decimals or more
- steps, beside the word or in its column; times in seconds, minutes or milliseconds, but for
  round ones such as `600 s`; bytes in full hundred thousands are limits

Years, dates, versions, pull requests, `8xH100`, `4x`, `16,000,000`, values behind `=` (those are
settings) and blocks of code do not count; in code, only what stands behind `val_bpb:` or
`val_loss:` does. A number agrees where it is what a log's number, a mean, standard deviation or
difference of them, a file's size, submission.json or a leaderboard row rounds to at its decimals.
"""

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pgolf_compose.audit.audited import TEXT, Audited
from pgolf_compose.audit.finding import Finding, Outcome, Passed, Place, Unchecked, listed_some
from pgolf_compose.audit.known import Known, Numbers, Pool, half
from pgolf_compose.audit.markdown import COMPUTED, LONGEST, Line
from pgolf_compose.audit.published import published
from pgolf_compose.audit.words import pattern

__all__ = ["Figure", "check_figures", "figures_in"]

NUMBER = re.compile(
    r"(?<![\w.])(?<!\d,)(\d{1,3}(?:,\d{3}){1,4}(?!\d)|\d{1,15})(\.\d{1,12})?(?!\.?\d)(?!,\d{3})"
)
ADDRESS = re.compile(r"https?://[^\s)>|]{1,1000}|\]\([^()\s]{1,500}\)")
KEYED = re.compile(r"val_(bpb|loss)[\"'`]?\s{0,3}[:=]\s{0,3}[\"'`*]{0,2}(\d\.\d{3,12})(?!\d)")
UNIT = re.compile(
    r"[*`_]{0,3}[ \u00a0-]?(bpb|bpp|bits?[ -]per[ -]byte|nats?|bytes?|B|MiB|MB|KiB|KB|kB|ms|"
    r"s|secs?|seconds?|min|mins|minutes|m|steps?|iterations|%)(?![\w])",
)
SCORE = re.compile(r"bpb|bpp|bits[ -]per[ -]byte", re.I)
LOSS = re.compile(r"\bloss|nats", re.I)
SPREAD = re.compile(r"\bstd\b|std\.?\s?dev|\bstd_|_std\b|σ|sigma|standard deviation|±|stdev", re.I)
DIFFERENCE = re.compile(
    r"delta|Δ|gain|gap|improv|better|worse|differ|penalt|saves?\b|saving|lower|higher|reduc|costs?\b|"
    r"beats?|drop|degrad|bpb|bpp|nats|below|above",
    re.I,
)
SETTING = re.compile(
    r"\b(?:lr|wd|rate|decay|eps|epsilon|beta\d?|momentum|init|alpha|lambda|dropout|threshold|"
    r"p|weight|softcap|scale|slope|frac|fraction|clip|temperature|min_lr|ema)\b[^.;|]{0,12}$",
    re.I,
)
SIZE = re.compile(r"bytes?|artifact|\bsize|\bcode\b|\btotal\b|compressed|submission", re.I)
NO_SIZE = re.compile(r"token|param|vocab|bucket|doc|shard|step|window|batch|hash|seq|row", re.I)
STEPS = re.compile(r"\bsteps?\b", re.I)
TIME = re.compile(r"\btime\b|\bms\b|\bseconds?\b|\(s\)|\bsec\b|\w s\b", re.I)
MEAN = re.compile(r"\bmean\b|\baverage\b|\bavg\b|\bstd\b|σ|\bstdev\b", re.I)
HEADLINE = re.compile(r"val[_ ]bpb|\bmean\b|\bfinal\b|\bscore\b|submission|\bseed", re.I)

MOST = 3_000  # numbers that are looked up


@dataclass(frozen=True)
class Figure:
    """A number that looks like a result, with what it is taken for."""

    line: int
    column: int
    text: str
    value: float
    decimals: int
    kind: str  # bpb, loss, spread, difference, bytes, megabytes, steps, seconds, ms, minutes
    context: str  # the clause or the row that it stands in
    seed: int | None = None  # of its row
    certain: bool = False  # said of this submission's own result
    elsewhere: bool = False  # the line speaks of other work as well
    approximate: bool = False


def figures_in(lines: tuple[Line, ...], seeds: frozenset[int] = frozenset()) -> Iterator[Figure]:
    """What counts as a result in a README. `seeds` are those that have logs."""
    for line in lines:
        if line.mark in COMPUTED:
            continue
        line = replace(line, text=ADDRESS.sub(lambda found: " " * len(found[0]), line.text))
        if line.kind in ("text", "heading"):
            for found in NUMBER.finditer(line.text):
                yield from in_prose(line, found)
        elif line.kind == "row":
            yield from in_row(line, seeds)
        elif line.kind == "code":
            for found in KEYED.finditer(line.text):
                yield Figure(
                    line.number,
                    found.start(2) + 1,
                    found[2],
                    float(found[2]),
                    len(found[2]) - 2,
                    "bpb" if found[1] == "bpb" else "loss",
                    line.text,
                )


def in_prose(line: Line, found: re.Match) -> Iterator[Figure]:
    text, start, end = line.text, found.start(), found.end()
    before, after = text[max(0, start - 60) : start], text[end : end + 40]
    # a heading names what it is about: only what says its unit counts there
    kind = kind_of(found, before, after, "", text)
    if line.kind == "heading" and kind not in ("bpb", "loss", "spread"):
        kind = ""
    if kind:
        elsewhere = bool(pattern("elsewhere").search(text))
        certain = bool(line.mark) or (not elsewhere and bool(HEADLINE.search(before)))
        yield figure(line, found, kind, text, before, certain=certain, elsewhere=elsewhere)


def in_row(line: Line, seeds: frozenset[int]) -> Iterator[Figure]:
    cells, header = line.cells, line.header
    seed = row_seed(cells, header, seeds)
    means = bool(cells) and bool(MEAN.search(cells[0]))
    at = 0
    for number, cell in enumerate(cells):
        at = max(line.text.find(cell, at), 0)
        title = header[number] if number < len(header) else ""
        other = bool(pattern("other_columns").search(title))
        about = f"{title} {cells[0]}" if number else title
        for found in NUMBER.finditer(cell):
            before = cell[: found.start()]
            if number == 0 and not SCORE.search(cell):
                continue  # a row's name
            kind = kind_of(found, before, cell[found.end() :], about, cell)
            if not kind:
                continue
            elsewhere = other or bool(pattern("elsewhere").search(line.text))
            own = seed if not other else None
            yield figure(
                line,
                found,
                kind,
                line.text,
                before,
                at,
                seed=own,
                certain=bool(line.mark) or own is not None or (means and not elsewhere),
                elsewhere=elsewhere,
            )
        at += len(cell)


def row_seed(cells: tuple, header: tuple, seeds: frozenset[int]) -> int | None:
    """The seed whose run a row is about."""
    for number, title in enumerate(header):
        if "seed" in title.lower() and number < len(cells):
            found = re.fullmatch(r"\W*(?:seed\W*)?(\d{1,10})\b.{0,40}", cells[number], re.I)
            if found and int(found[1]) in seeds:
                return int(found[1])
    found = re.search(r"\bseed\W{0,3}(\d{1,10})\b", cells[0], re.I) if cells else None
    return int(found[1]) if found and int(found[1]) in seeds else None


def figure(line: Line, found: re.Match, kind: str, context: str, before: str, at=0, **more):
    text = found[0]
    return Figure(
        line.number,
        at + found.start() + 1,
        text,
        float(text.replace(",", "")),
        max(0, len(found[2] or "") - 1),
        kind,
        context,
        approximate=bool(re.search(r"[~≈]\s{0,2}[-+−]?$|about $|around $|roughly $", before)),
        **more,
    )


def kind_of(found: re.Match, before: str, after: str, title: str, around: str) -> str:
    """What a number is taken for; nothing where it is no result."""
    whole, decimals = found[1].replace(",", ""), max(0, len(found[2] or "") - 1)
    value = float(whole + (found[2] or ""))
    unit = (UNIT.match(after) or ("", ""))[1]
    if no_result(found[0], before, after, unit):
        return ""
    if unit in ("%",):
        return ""
    near = f"{title} {before[-40:]} {unit}"
    if title and not unit and decimals and TIME.search(title):
        return kind_of_time(value, decimals, unit, title)
    if decimals >= 3:
        return kind_of_score(value, decimals, before, after, title, near, unit)
    if unit in ("MB", "MiB", "KB", "KiB", "kB"):
        return {"MB": "megabytes", "MiB": "mebibytes"}.get(unit, "") if decimals >= 2 else ""
    if not decimals and value >= 1000 and value % 100_000:
        sized = unit in ("bytes", "byte", "B") or (SIZE.search(near) and not unit)
        if sized and not NO_SIZE.search(after[:12]) and not NO_SIZE.search(title):
            return "bytes"
        if (
            len(whole) == 8
            and 14e6 <= value <= 17e6
            and "," in found[0]
            and not NO_SIZE.search(after[:15])
        ):
            return "bytes"
    if not decimals and value >= 100 and (unit in ("steps", "step") or STEPS.search(title)):
        return "" if unit and unit not in ("steps", "step") else "steps"
    return kind_of_time(value, decimals, unit, title)


def kind_of_time(value: float, decimals: int, unit: str, title: str) -> str:
    round_one = not decimals and (value % 10 == 0 or value < 10)
    if unit == "ms" or (not unit and re.search(r"\bms\b", title)):
        return "" if round_one else "ms"
    if unit in ("s", "sec", "secs", "second", "seconds"):
        return "" if round_one else "seconds"
    if unit in ("min", "mins", "minutes"):
        return "minutes" if decimals else ""
    if not unit and TIME.search(title):
        return "" if round_one else "seconds"
    return ""


def kind_of_score(value, decimals, before, after, title, near, unit) -> str:
    if unit in ("ms", "s", "sec", "secs", "seconds", "min", "minutes"):
        return kind_of_time(value, decimals, unit, title)
    if unit in ("MB", "MiB"):
        return "megabytes" if unit == "MB" else "mebibytes"
    if title and decimals >= 4 and SPREAD.search(title):
        return "spread"
    if title and decimals >= 5 and value >= 0.5 and re.search(r"val[_ ](?:bpb|loss)", title):
        return "bpb" if "bpb" in title else "loss"
    named = bool(SCORE.search(near)) or bool(SCORE.search(after[:14]))
    lost = bool(LOSS.search(near)) and not named
    if SPREAD.search(title) or re.search(
        r"(?:±|\+/-|std|σ|stdev|deviation)\W{0,8}(?:of )?$", before
    ):
        return "spread" if value < 0.2 and decimals >= 4 else ""
    if value < 0.5:
        signed = bool(re.search(r"[-+−–]\s?$", before))
        told = DIFFERENCE.search(near) or unit or DIFFERENCE.search(after[:25])
        if decimals >= 4 and (signed or told) and not SETTING.search(before):
            return "difference"
        return ""
    if unit.startswith("nat"):
        return "loss" if decimals >= 4 else ""
    if SETTING.search(before) and not named:
        return ""
    if 0.9 <= value <= 4.5 and named and not lost:
        return "bpb"
    if 1.0 < value < 1.3 and decimals >= 4 and not lost:
        return "bpb"
    if 0.9 <= value < 9.9 and (lost or (decimals >= 5 and 1.5 < value < 4.2)):
        return "loss"
    return ""


def no_result(text: str, before: str, after: str, unit: str) -> bool:
    """Versions, dates, settings, ratios, pull requests, parts of names."""
    last = before[-1:]
    if last in "#/_@" and last:
        return True
    if re.search(r"\b(?:PR|issue|arXiv|version|v|torch|python|CUDA)\W{0,3}$", before, re.I):
        return True
    if re.search(r"\d[-–]$", before) or re.match(r"-\d", after):
        return True
    if re.search(r"\w\s{0,2}[=≤<≥>]\s{0,2}$", before) and not re.search(
        r"(?:bpb|loss|std|bytes|mean|total|size)\W{0,2}\s?[=:]\s{0,2}$", before, re.I
    ):
        return True
    return bool(not unit and re.match(r"[\w×/]|[*`]{0,3}\s?[x×]\b", after))


@dataclass
class Judge:
    """Holds each figure against what is known."""

    audited: Audited
    numbers: Numbers
    counted: dict[str, int] = field(default_factory=dict)

    def known(self, one: Figure, beside: list[Figure]) -> Known | None:
        """Who says the same, at the figure's decimals."""
        tolerance = half(one.decimals) * (3 if one.approximate else 1)
        for pool, value, scale in self.pools(one):
            if found := pool.match(value, tolerance * scale):
                return found
        if one.kind == "difference":
            return self.arithmetic(one, beside, tolerance)
        return None

    def pools(self, one: Figure) -> Iterator[tuple[Pool, float, float]]:
        """Pools to look in, the value in their unit, and that unit's scale."""
        of, value = self.numbers.of, one.value
        if one.kind in ("bpb", "loss"):
            yield of(one.kind, seed=one.seed), value, 1
            if one.seed is None:
                yield published(self.audited, one.kind), value, 1
        elif one.kind == "spread":
            yield of("spread", "difference"), value, 1
            yield published(self.audited, "spread"), value, 1
        elif one.kind == "difference":
            yield of("difference", "spread"), value, 1
        elif one.kind == "bytes":
            if one.seed is not None:
                yield self.seed_sizes(one.seed), value, 1
            else:
                yield of("bytes", "room", "varies"), value, 1
                yield self.numbers.figures, value, 1
        elif one.kind in ("megabytes", "mebibytes"):
            scale = 1e6 if one.kind == "megabytes" else 1 << 20
            yield of("bytes", "room"), value * scale, scale
            yield self.numbers.figures, value, 1
        elif one.kind == "steps":
            if one.seed is not None:
                yield of("steps", seed=one.seed), value, 1
            else:
                yield of("steps"), value, 1
                yield self.numbers.figures, value, 1
                yield self.constants, value, 1
        else:
            scale = {"ms": 1, "seconds": 1000, "minutes": 60_000}[one.kind]
            yield of("ms", "clock", "varies", seed=one.seed), value * scale, scale
            yield self.numbers.figures, value, 1
            yield self.numbers.figures, value * scale, scale
            yield self.constants, value, 1

    def seed_sizes(self, seed: int) -> Pool:
        sizes = [one for one in self.numbers.sizes if "limit" not in one.where]
        mine = [one for one in self.numbers.logged if one.seed == seed and one.kind == "bytes"]
        track = self.audited.track
        if track and track.artifact_bytes:
            limit = track.artifact_bytes
            mine += [Known(limit - one.value, "limit less", "bytes") for one in mine]
        return Pool([*sizes, *mine])

    @property
    def constants(self) -> Pool:
        if "constants" not in self.audited.cache:
            script = self.audited.script
            values = script.numbers if script else ()
            dumped = [
                number(value) for log in self.audited.logs for value in log.hyperparameters.values()
            ]
            known = [Known(one, "the script", "any") for one in values]
            known += [Known(one, "a log's dump", "any") for one in dumped if one is not None]
            self.audited.cache["constants"] = Pool(known)
        return self.audited.cache["constants"]

    def arithmetic(self, one: Figure, beside: list[Figure], tolerance: float) -> Known | None:
        """A difference of two scores: of this folder's, published ones, or its own neighbours."""
        near = [other for other in beside if other.kind in ("bpb", "loss") and other is not one]
        for n, a in enumerate(near):
            for b in near[:n]:
                slack = half(a.decimals) + half(b.decimals) + tolerance
                if abs(abs(a.value - b.value) - one.value) <= slack:
                    where = f"{a.text} (line {a.line}) less {b.text}"
                    return Known(abs(a.value - b.value), where, "difference")
        scores = [known for known in self.numbers.derived if known.kind == "bpb"]
        scores = scores or [known for known in self.numbers.logged if known.kind == "bpb"]
        for mine in scores:
            for factor in (1, math.log(2), self.loss_per_bpb):
                for sign in (1, -1):
                    wanted = mine.value + sign * one.value / factor
                    pool = published(self.audited, "bpb")
                    if found := pool.match(wanted, tolerance / factor + half(5)):
                        where = f"{mine.where} against {found.where}"
                        return Known(one.value, where, "difference")
        return None

    @property
    def loss_per_bpb(self) -> float:
        """Nats per token for one bit per byte, by this folder's own scores."""
        for log in self.audited.logs:
            if log.score and log.score.val_bpb and log.score.val_loss:
                return log.score.val_loss / log.score.val_bpb
        return math.log(2)


def number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return abs(value) if math.isfinite(value) else None


def check_figures(audited: Audited) -> Iterator[Outcome]:
    """Every number of the README that looks like a result is one that the folder can show."""
    readme = audited.readme
    if readme is None:
        yield Unchecked("the README's numbers", "there is no README")
        return
    if not audited.logs:
        yield Unchecked("the README's numbers", "there are no logs")
        return
    for number in readme.long[:3]:
        why = f"only its first {LONGEST:,} characters were looked at"
        yield Unchecked(f"{readme.name}:{number}", why)
    for log in audited.logs:
        if len(audited.figures(log)) >= audited.share:
            why = f"only {audited.share:,} different ones are kept"
            yield Unchecked(f"numbers of {audited.name_of(log.path)}", why)
    seeds = frozenset(log.seed for log in audited.logs if log.seed is not None)
    if readme.cut:
        yield Unchecked(f"the rest of {readme.name}", f"only its first {TEXT:,} bytes are read")
    figures = list(itertools.islice(figures_in(readme.lines, seeds), MOST + 1))
    if len(figures) > MOST:
        figures.pop()
        where = f"{readme.name} from line {figures[-1].line} on"
        yield Unchecked(where, f"only {MOST:,} numbers are looked up")
    yield from seeds_without_logs(audited, seeds)
    judge, good = Judge(audited, Numbers(audited)), []
    for n, one in enumerate(figures):
        beside = [o for o in figures[max(0, n - 40) : n + 40] if abs(o.line - one.line) <= 6]
        if found := judge.known(one, beside):
            good.append((one, found))
        else:
            yield unknown(audited, judge, one)
    if good:
        shown = [
            f"{one.text} ({found.where})" for one, found in good if one.kind in ("bpb", "bytes")
        ]
        seen = listed_some(dict.fromkeys(shown), 3)
        yield Passed(f"{readme.name}: {len(good)} numbers agree; {seen}".rstrip("; "))


def seeds_without_logs(audited: Audited, seeds: frozenset[int]) -> Iterator[Finding]:
    """Rows of results whose seed has no log."""
    if not seeds:
        return
    for line in audited.readme.of("row"):
        title = next((n for n, one in enumerate(line.header) if "seed" in one.lower()), None)
        cells = line.cells
        if title is None or title >= len(cells):
            continue
        found = re.fullmatch(r"\W*(\d{1,10})\W*", cells[title])
        scored = re.search(r"\d\.\d{3,}", line.text)  # and not pending
        if found and int(found[1]) not in seeds and scored:
            where = Place(audited.readme.name, line.number, line.text.find(found[1]) + 1)
            what = f"tells of seed {found[1]}, of which there is no log"
            yield Finding("error", where, what, "add its log, or mend the number")


def unknown(audited: Audited, judge: Judge, one: Figure) -> Finding:
    where = Place(audited.readme.name, one.line, one.column)
    pools = list(judge.pools(one))
    near = [(pool.nearest(value), value, scale) for pool, value, scale in pools]
    near = [item for item in near if item[0]]
    nearest = min(near, key=lambda item: abs(item[0].value - item[1]) / item[2], default=None)
    told = ""
    if nearest:
        value = nearest[0].value / nearest[2]
        digits = 8 if one.kind in ("bpb", "loss", "spread", "difference") else one.decimals
        told = f"; nearest is {value:,.{digits}f} ({nearest[0].where})"
    what = {"difference": "difference", "spread": "standard deviation"}.get(one.kind, "number")
    run = f" of seed {one.seed}" if one.seed is not None else ""
    if one.kind in ("bpb", "loss") and not one.certain:
        line = judge.numbers.figures.match(one.value, half(one.decimals))
        if line and one.decimals >= 6:
            return Finding(
                "note", where, f"{one.text} is no score, but {line.where} has it", "fine"
            )
        if line:
            told = f": {line.where} has it, but as no score of the whole validation text"
            return Finding("warning", where, one.text + told, "say what it is, or mend it")
    level = "error" if one.certain or slipped(one, nearest) else "warning"
    what = f"{one.text}: no log{run} contains this {what}{told}"
    todo = "mend it, or add the log that it comes from"
    return Finding(level, where, what, todo)


def slipped(one: Figure, nearest: tuple | None) -> bool:
    """Whether one digit, or two that changed places, part a result from one that is known."""
    precise = one.decimals >= 5 if one.kind in ("bpb", "loss") else one.value >= 1e6
    if nearest is None or one.kind not in ("bpb", "loss", "bytes") or not precise:
        return False
    a, b = f"{one.value:.{one.decimals}f}", f"{nearest[0].value:.{one.decimals}f}"
    differ = [n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y]
    if len(a) != len(b):
        return False
    return len(differ) == 1 or (len(differ) == 2 and sorted(a) == sorted(b))
