"""Context mixing: the smallest files, whose own few lines of Python decode them at each start.

Each bit of a text is predicted from what followed in fourteen contexts: the characters before,
the word, the outline of the text with every word as one letter, the bracket one stands in and the
longest match so far. A gated mixer weighs the fourteen guesses, and arithmetic coding spends on a
bit what its probability costs.

Encoder and decoder run one text. It computes alike everywhere: what comes out of the only
inexact operation, the power, is cut to an integer, and the encoder refuses a cut so close to an
integer that another machine's rounding might fall on its other side. Sums are sums of integers.
"""

import math
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from pgolf_compose.errors import ComposeError
from pgolf_compose.pack import MARK, Packer
from pgolf_compose.packers.digits import LOOPS, as_text, number
from pgolf_compose.packers.source import LINES, needs_lines, tidied

__all__ = ["decode", "read", "smallest"]

MODEL = r"""
o=q=b=w='\n'
D={}.setdefault;K=[b]
for _ in'_'*COUNT:
 k=j=1
 while~(z:=o.rfind(o[-k:],0,-1)):j=z+k;k+=1
 H=CONTEXTS;c=1
 while c<TOP:
  FORECAST;CODE;c+=c+y
  for m in M:m[:]=[w+x*(y*65536-P)//RATE for w,x in zip(m,X)]
  for a in A:p,n=a;a[:]=p+(y-p)/n,min(n+1,6)
 b=chr(c-TOP);o+=b;K=[w]*(b in'([{')+K[b in')]}':];y=b.isalnum();q+=[b,'~'[w>'':]][y];w=(w+b)*y
""".strip()
CONTEXTS = (
    "'',b,o[-2:],o[-3:],o[-4:],o[-6:],q[-2:],q[-4:],q[-7:],"
    "(w,),(q[-3:],*K[:1]),(k,o[j:j+1]),(0,o[-3:-1]),(w,*K[:2])"
)
FORECAST = (
    "A=[D((h,c),[.5,1.07])for h in H];X=[int(SCALE*(p-.5)/(p-p*p+.001)**.2)for p,_ in A];"
    "M=[D(h,[6e5]*14)for h in(c,b,q[-4:])];"
    "P=int(65534/(1+9**(-sum(x*sum(w)for x,*w in zip(X,*M))/1e11))+1)"
)
MODEL = MODEL.replace("CONTEXTS", CONTEXTS).replace("FORECAST", FORECAST)
DECODE = "s=r*P>>16;y=x<s;x,r=y and(x,s)or(x-s,r-s)"
LOADER = """{mark}
x=0
{before}{text}{after}
r=1<<{precision}
{model}
{run}"""
SCALES = ("1e4", "2e4", "3e4")  # of the inputs; one that is exact everywhere is taken
RATE = "6e3"
MOST = 100_000  # characters; more would take minutes at each start
SLOW = 0.0003  # seconds for each byte of the source on a common core


class Inexact(ArithmeticError):
    """A result lies so close to an integer that another machine may round it to another."""


@dataclass(frozen=True)
class Coded:
    """What a file of this packer holds: the long integer, and what the model needs to know."""

    number: int
    precision: int
    count: int  # characters, of `width` bits each
    width: int
    scale: str
    rate: str
    lines: bool


def pack_smallest(source: str) -> bytes:
    """The file, decoded again and compared before it is handed out."""
    source = tidied(source)
    text = spelled(source)
    if len(text) > MOST:
        raise ComposeError(
            f"{len(text):,} characters are too many for --pack smallest, which would take minutes "
            f"to start; it takes {MOST:,}, and --pack instant any number"
        )
    for scale in SCALES:
        try:
            packed = written(text, scale, needs_lines(source))
        except Inexact:
            continue
        if decode(read(packed)) != source:
            raise ComposeError("--pack smallest did not get the script back; use --pack instant")
        return min(packed.encode(), f"{MARK}\n{source}".encode(), key=len)
    raise ComposeError("no scale of --pack smallest is exact for this script; use --pack instant")


def spelled(source: str) -> str:
    """ASCII as it is, else one character for each byte of UTF-8."""
    return source if source.isascii() else source.encode().decode("latin-1")


def written(text: str, scale: str, lines: bool) -> str:
    """The whole file."""
    width = 7 if text.isascii() else 8
    coded = Coded(0, 0, len(text), width, scale, RATE, lines)
    bits = predicted(text, coded)
    cost = -sum(math.log2(p if bit else 65536 - p) - 16 for p, bit in bits)
    precision = math.ceil(cost)
    while True:
        precision += 1
        low, size = narrowed(bits, 1 << precision)
        for value in range(low, low + min(size, 200)):
            if (literal := as_text(value, 139)) is not None:
                return filled(coded, literal, precision)


def narrowed(bits: Iterable[tuple[int, bool]], size: int) -> tuple[int, int]:
    """The interval of numbers that decode to these bits: where it begins, and how wide it is."""
    low = 0
    for p, bit in bits:
        split = size * p >> 16
        if bit:
            size = split
        else:
            low, size = low + split, size - split
    return low, size


def predicted(text: str, coded: Coded) -> list[tuple[int, bool]]:
    """For each bit of the text the model's probability of a one, in 65536ths, and the bit."""
    bits = (bool(ord(one) >> n & 1) for one in text for n in reversed(range(coded.width)))
    found = []

    def code(p: int) -> bool:
        bit = next(bits)
        found.append((p, bit))
        return bit

    run_model(model(coded).replace("CODE", "y=code(P)"), code=code, int=cut)
    return found


def cut(value: float) -> int:
    """The integer part, if a small error of `value` cannot change it."""
    whole = int(value)
    off = abs(value - whole)
    if (off < 1e-9 or off > 1 - 1e-9) and abs(value) > 0.5 and value != 32768:
        raise Inexact
    return whole


def decode(coded: Coded) -> str:
    """The source that a file holds, by our own model and never by the file's text."""
    text = model(coded).replace("CODE", DECODE)
    text = run_model(text, x=coded.number, r=1 << coded.precision)
    return text if coded.width == 7 else text.encode("latin-1").decode()


def run_model(text: str, **given: object) -> str:
    """What the model's text makes, as a function: names are quicker to find there."""
    names: dict = {}
    exec(f"def run({','.join(given)}):\n{textwrap.indent(text, ' ')}\n return o", names)
    return names["run"](**given)[1:]


def model(coded: Coded) -> str:
    given = {
        "COUNT": coded.count,
        "TOP": 1 << coded.width,
        "SCALE": coded.scale,
        "RATE": coded.rate,
    }
    return re.sub(f"{'|'.join(given)}", lambda found: str(given[found[0]]), MODEL)


def filled(coded: Coded, literal: str, precision: int) -> str:
    before, after = LOOPS[139]
    text = "o" if coded.width == 7 else "o.encode('L1')"
    run = "D=0"  # frees the memory of the counts
    if coded.lines:
        text = text if coded.width == 7 else f"{text}.decode()"
        run += f";o={text}\n{LINES.format('o')}\nexec(o)"
    else:
        run += f";exec({text})"
    return LOADER.format(
        mark=MARK,
        before=before,
        text=literal,
        after=after,
        precision=precision,
        model=model(coded).replace("CODE", DECODE),
        run=run,
    )


def read(text: str) -> Coded | None:
    """What a file of this packer holds; None for any other."""
    before, after = LOOPS[139]
    start = f"{MARK}\nx=0\n{before}"
    head, found, rest = text.rpartition(f"{after}\nr=1<<")
    # a note may follow the mark
    begin = re.match(f"{MARK}\n(#.*\n)?{re.escape(start[len(MARK) + 1 :])}", head)
    if not found or not begin:
        return None
    literal = head[begin.end() :]
    told = re.match(
        r"(\d{1,8})\n[^$]*?'_'\*(\d{1,7}):[^$]*?c<(128|256)[^$]*?int\((\w+)\*[^$]*?//(\w+) for",
        rest,
    )
    if not told:
        return None
    precision, count, top, scale, rate = told.groups()
    coded = Coded(
        number(literal, 139),
        int(precision),
        int(count),
        int(top).bit_length() - 1,
        scale,
        rate,
        "linecache" in rest[-90:],
    )
    return coded if filled(coded, "", int(precision)).endswith(f"r=1<<{rest}") else None


smallest = Packer(
    "smallest",
    "fewest bytes: context mixing, decoded for seconds at each start",
    pack_smallest,
    SLOW,
)
