# @fill modules
LANES = 512  # coders side by side


def coded(stored: dict) -> dict[str, Tensor]:
    """The integers that fill whole rows of lanes: all that there are in a model of some size."""
    return {
        name: value[0]
        for name, value in stored.items()
        if isinstance(value, tuple) and value[0].numel() % LANES == 0
    }


def learnt_tables(tensors, q: np.ndarray):
    """For each row of q (rows, LANES): all tables' edges, the index of zero in them, the row.

    q holds the tensors' integers. A row is looked at after its tables were yielded, and a decoder
    fills it in: it learns what the encoder did, and no table is stored. Whole numbers, and roots,
    which IEEE 754 rounds correctly, are the same on every machine.
    """
    counts, rows = np.ones((182, 256), int), iter(q)  # of each integer by the mean size around it
    for t in tensors:
        period = max(1, t.shape[-1] // LANES)  # rows until the columns recur
        sizes = np.full((period, LANES), 2048)  # sums, times 256; as if four of 2 had been seen
        for step in range(t.numel() // LANES):
            if not step & step - 1 & 255:  # after 1, 2, 4 ... steps, and again from each 256th on
                f = 4 * counts + np.roll(counts, 1, 0) + np.roll(counts, -1, 0)  # of alike sizes
                f = f * (2**24 - 256) // f.sum(1, keepdims=True) + 1
                f[:, 128] += 2**24 - f.sum(1)
                edges = np.append(0, f.cumsum())
            size = sizes[step % period]
            zero = np.sqrt(size // (step // period + 4)).astype(int) * 256 + 128
            row = next(rows)
            yield edges, zero, row
            np.add.at(counts.ravel(), zero + row, 16)  # unseen counts as a sixteenth of once
            # @if tables == "columns"
            size += 256 * abs(row)
            # @else
            size += 256 * abs(row).sum() // LANES
            # @endif


def encode_integers(tensors, q: np.ndarray) -> np.ndarray:
    """Words of 32 bits (rANS): the lanes' states, then what they run short of."""
    codes = [(edges, zero + row) for edges, zero, row in learnt_tables(tensors, q)]
    x, words = np.full(LANES, 1 << 31), []
    for edges, n in reversed(codes):  # what is coded last is decoded first
        f = edges[n + 1] - edges[n]
        full = x >> 39 >= f
        words.append(x[full])
        x[full] >>= 32
        x += x // f * (2**24 - f) + edges[n] % 2**24
    return np.concatenate([x >> 32, x, *reversed(words)]).astype(np.int32)


def decode_integers(tensors, words: np.ndarray) -> np.ndarray:
    words, at = words.astype(int) % 2**32, 2 * LANES
    x = words[:LANES] << 32 | words[LANES:at]
    q = np.zeros((sum(t.numel() for t in tensors) // LANES, LANES), int)
    for edges, zero, row in learnt_tables(tensors, q):
        code = x % 2**24 + (zero >> 8 << 24)
        n = edges.searchsorted(code, "right") - 1
        row[:] = n - zero
        x = (edges[n + 1] - edges[n]) * (x >> 24) + code - edges[n]
        short = x < 1 << 31
        end = at + short.sum()
        x[short] = x[short] << 32 | words[at:end]
        at = end
    return q


# @fill artifact.packing
tensors = coded(stored)
q = torch.cat([torch.zeros(0), *(t.flatten() for t in tensors.values())]).view(-1, LANES)
q = q.long().numpy()
words = encode_integers(tensors.values(), q)
if (decode_integers(tensors.values(), words) != q).any():
    stop("the integers do not come back from their code")
blank = torch.zeros(1, dtype=torch.int8)  # keeps a tensor's name and shape, in no bytes
blanks = {name: (blank.expand(t.shape), stored[name][1]) for name, t in tensors.items()}
stored = {**stored, **blanks, "": torch.from_numpy(words)}


# @fill artifact.encoded
data += zlib.crc32(data).to_bytes(4, "little")


# @fill artifact.reading
if zlib.crc32(data) != 0x2144DF1C:  # of whatever its own checksum follows
    stop(f"{path} is cut short or damaged: write or fetch it again")
data = data[:-4]


# @fill artifact.unpacked
words, tensors = stored.pop("").numpy(), coded(stored)
q = torch.from_numpy(decode_integers(tensors.values(), words)).to(torch.int8).flatten()
for name, part in zip(tensors, q.split([t.numel() for t in tensors.values()])):
    stored[name] = part.view(tensors[name].shape), stored[name][1]
