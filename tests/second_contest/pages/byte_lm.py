# @slot header

# @slot imports.standard
import json
import math
import os
import random
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

# @include "hyperparameters.py"


def log(h, message):
    print(message, flush=True)
    with h.log_path.open("a") as file:
        print(message, file=file)


# @scope h, counts: of next bytes by context; context: the bytes before
# @part model.odds
def odds(h, counts, context):
    """The chance of each next byte: counts of the longest context, filled up by shorter ones."""
    known = [1 / 256] * 256
    for start in range(len(context), -1, -1):
        seen = counts.get(context[start:])
        if seen:
            total = sum(seen.values()) + h.pull
            known = [h.pull / total * one for one in known]
            for byte, count in seen.items():
                known[byte] += count / total
    return known


# @endpart


def train(h, text):
    """Count the bytes after each context, chunk by chunk in an order that the seed decides."""
    counts = {}
    starts = list(range(0, len(text), h.chunk))
    random.Random(h.seed).shuffle(starts)
    began = time.perf_counter()
    for step, start in enumerate(starts[: h.steps], 1):
        # the first byte's score tells how far the counts have come
        loss = -math.log(odds(h, counts, text[max(0, start - h.order) : start])[text[start]])
        for at in range(start, min(start + h.chunk, len(text))):
            for length in range(min(h.order, at) + 1):
                counts.setdefault(text[at - length : at], Counter())[text[at]] += 1
        elapsed = time.perf_counter() - began
        # @scope h, step, loss, counts
        # @slot train.step
        log(h, f"step:{step}/{h.steps} train_loss:{loss:.4f} train_time:{1000 * elapsed:.0f}ms")
        if 0 < h.max_wallclock_seconds < elapsed:
            log(
                h,
                f"stopping_early: wallclock_cap train_time:{1000 * elapsed:.0f}ms step:{step}/{h.steps}",
            )
            break
    return counts


def write_artifact(h, counts):
    """The contexts that were seen often enough, as compressed JSON."""
    kept = {
        context.hex(): {str(byte): count for byte, count in seen.items()}
        for context, seen in counts.items()
        if sum(seen.values()) >= h.least
    }
    path = Path("model.bin")
    path.write_bytes(zlib.compress(json.dumps(kept, separators=(",", ":")).encode(), 9))
    model, code = path.stat().st_size, Path(__file__).stat().st_size
    log(h, f"Code size: {code} bytes")
    log(h, f"Serialized model json+zlib: {model} bytes")
    log(h, f"Total submission size json+zlib: {model + code} bytes")
    return path


def read_artifact(path):
    kept = json.loads(zlib.decompress(path.read_bytes()))
    return {
        bytes.fromhex(context): Counter({int(byte): count for byte, count in seen.items()})
        for context, seen in kept.items()
    }


def evaluate(h, counts, text):
    """Nats per byte of the whole text; a token is a byte."""
    nats = 0.0
    for at in range(len(text)):
        nats -= math.log(odds(h, counts, text[max(0, at - h.order) : at])[text[at]])
    return nats / len(text)


def main():
    h = Hyperparameters()
    h.log_path.parent.mkdir(exist_ok=True)
    # @scope h, before anything is read
    # @slot main.setup
    for name, value in sorted(vars(Hyperparameters).items()):
        if not name.startswith("_"):
            log(h, f"{name}:{value}")
    log(h, f"seed:{h.seed}")
    folder = Path(h.data_dir, h.text)
    counts = train(h, (folder / "train.txt").read_bytes())
    path = write_artifact(h, counts)
    began = time.perf_counter()
    loss = evaluate(h, read_artifact(path), (folder / "val.txt").read_bytes())
    elapsed = time.perf_counter() - began
    log(
        h,
        f"final_json_zlib_roundtrip val_loss:{loss:.4f} val_bpb:{loss / math.log(2):.4f} "
        f"eval_time:{1000 * elapsed:.0f}ms",
    )
    log(h, f"final_json_zlib_roundtrip_exact val_loss:{loss:.8f} val_bpb:{loss / math.log(2):.8f}")


if __name__ == "__main__":
    main()
