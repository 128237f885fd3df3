# @fill modules
def tables(stored: dict):
    """For each 512 integers of a row, or what it has left: all edges, the index of zero, they.

    The integers are looked at after their tables were yielded, so that a decoder can fill them in.
    Whole numbers, and roots, which IEEE 754 rounds correctly, are the same on every machine.
    """
    # @if tables == "static"
    # of each tensor by itself: 2**24 at most in all, at least one for each integer
    edges = np.append(0, (256 * stored[" "] + 1).cumsum(0))
    zero = edges[:1] + 128
    # @else
    counts = np.ones((182, 256), int)  # of each integer by the mean size of its column so far
    # @endif
    for value in stored.values():
        if isinstance(value, tuple):
            for columns in value[0].view(len(value[1]), -1).split(512, 1):
                # @if tables == "columns"
                size = 8  # as if four of 2 had been seen
                # @endif
                for step, row in enumerate(columns.numpy()):
                    # @if tables == "columns"
                    if not step & step - 1 & 255:  # after 1, 2, 4 ... rows, then each 256
                        f = 4 * counts + np.roll(counts, 1, 0) + np.roll(counts, -1, 0)
                        f = f * (2**24 - 256) // f.sum(1)[:, None] + 1
                        edges = np.append(0, f.cumsum())
                    zero = np.sqrt(256 * size / (step + 4)).astype(int) * 256 + 128
                    # @endif
                    yield edges, zero, row
                    # @if tables == "columns"
                    np.add.at(counts.ravel(), zero + row, 16)  # unseen: a sixteenth of once
                    size = size + abs(row * 1.0)
                    # @endif
            # @if tables == "static"
            zero = zero + 256
            # @endif


def decode(stored: dict, words: np.ndarray) -> None:
    """Fill in the integers."""
    x = np.zeros(512, int)
    for edges, zero, row in tables(stored):
        while count := (short := x < 1 << 31).sum():
            x[short] = x[short] << 32 | words[-count:] % 2**32
            words = words[:-count]
        y = x[: len(row)]
        code = y % 2**24 + edges[zero - 128]
        n = edges.searchsorted(code, "right") - 1
        row[:] = n - zero
        y[:] = (edges[n + 1] - edges[n]) * (y >> 24) + code - edges[n]


# @fill artifact.packing
# @if tables == "static"
shares = [
    (value[0].flatten() + 128.0).histc(256, 0, 256) * 65535 // value[0].numel()
    for value in stored.values()
    if isinstance(value, tuple)
]
stored = {**stored, " ": torch.cat([torch.zeros(0), *shares]).int()}
# @endif
x, words = np.full(512, 1 << 31), []
codes = [(edges, zero, row, zero + row) for edges, zero, row in tables(stored)]
for edges, zero, row, n in codes[::-1]:
    y, f = x[: len(row)], edges[n + 1] - edges[n]
    full = y >> 39 >= f
    words.append(y[full])
    y[full] >>= 32
    y += y // f * (2**24 - f) + edges[n] - edges[zero - 128]
    row[:] = 0
words = np.concatenate([*words, x, x >> 32])
decode(stored, words)
if not all((zero + row == n).all() for _, zero, row, n in codes):
    stop("the weights do not come back from their code")
stored = {name: value[1] if isinstance(value, tuple) else value for name, value in stored.items()}
stored[""] = torch.from_numpy(words.astype(np.int32))


# @fill artifact.encoded
data += zlib.crc32(data).to_bytes(4, "little")


# @fill artifact.reading
if zlib.crc32(data) != 0x2144DF1C:  # of whatever its own checksum follows
    stop(f"{path} is damaged: write or fetch it again")
data = data[:-4]


# @fill artifact.unpacked
words = stored.pop("").long().numpy()
for name, t in model.state_dict().items():
    if stored[name].shape != t.shape:
        stored[name] = torch.zeros(t.shape).char(), stored[name]
decode(stored, words)
