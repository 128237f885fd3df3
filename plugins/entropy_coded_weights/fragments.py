# @fill modules
LANES, TABLES = 512, 64  # coders side by side; tables of 256 frequencies, 2**20 in all


def coded(stored: dict) -> dict[str, Tensor]:
    """The integers that fill whole rows of lanes: all that there are in a model of some size."""
    tensors = {name: value[0] for name, value in stored.items() if isinstance(value, tuple)}
    return {name: q for name, q in tensors.items() if q.numel() % LANES == 0}


def learnt_tables(tensors, q: np.ndarray):
    """For each row of q (rows, LANES), the tensors' integers: all tables' edges, and zero's index.

    A row is looked at after its tables were yielded, and a decoder fills it in: it learns what the
    encoder did, and no table is stored. Whole numbers, and roots, which IEEE 754 rounds correctly,
    are the same on every machine.
    """
    counts, row = np.ones((TABLES, 256), int), 0
    for t in tensors:
        period = t.shape[-1] // math.gcd(t.shape[-1], LANES)  # rows until the columns recur
        sizes = np.full((period, LANES), 512)  # summed, in 64ths; as if four of 2 had been seen
        for step in range(t.numel() // LANES):
            if not row & row - 1 & 1023:  # after 1, 2, 4 ... rows, and likewise after each 1024th
                f = np.maximum((counts << 20) // counts.sum(1, keepdims=True), 1)
                f[range(TABLES), f.argmax(1)] += 2**20 - f.sum(1)
                edges = np.append(0, f.cumsum())
            size = sizes[step % period]
            table = np.sqrt(4 * size // (step // period + 4)).clip(0, TABLES - 1).astype(int)
            zero = 256 * table + 128
            yield edges, zero
            np.add.at(counts.ravel(), zero + q[row], 16)  # unseen counts as a sixteenth of once
            # @if tables == "columns"
            size += abs(q[row]) << 6
            # @else
            size += (abs(q[row]).sum() << 6) // LANES
            # @endif
            row += 1


def encode_integers(tensors, q: np.ndarray) -> np.ndarray:
    """Words of 32 bits (rANS): the lanes' states, then what they run short of."""
    codes = [(edges, zero + row) for row, (edges, zero) in zip(q, learnt_tables(tensors, q))]
    x, words = np.full(LANES, 1 << 31), []
    for edges, n in reversed(codes):  # what is coded last is decoded first
        f = edges[n + 1] - edges[n]
        full = x >> 43 >= f
        words.append(x[full])
        x[full] >>= 32
        x += x // f * (2**20 - f) + edges[n] % 2**20
    return np.concatenate([x >> 32, x, *reversed(words)]).astype(np.uint32)


def decode_integers(tensors, words: np.ndarray) -> np.ndarray:
    words, at = words.astype(int), 2 * LANES
    x = words[:LANES] << 32 | words[LANES:at]
    q = np.zeros((sum(t.numel() for t in tensors) // LANES, LANES), np.int16)
    for row, (edges, zero) in zip(q, learnt_tables(tensors, q)):
        code = (zero >> 8 << 20) + x % 2**20
        n = edges.searchsorted(code, "right") - 1
        row[:] = n - zero
        x = (edges[n + 1] - edges[n]) * (x >> 20) + code - edges[n]
        short = x < 1 << 31
        end = at + short.sum()
        x[short] = x[short] << 32 | words[at:end]
        at = end
    return q


# @fill artifact.packing
tensors = coded(stored)
q = torch.cat([torch.zeros(0), *(t.flatten() for t in tensors.values())]).view(-1, LANES)
q = q.to(torch.int16).numpy()
words = encode_integers(tensors.values(), q)
if (decode_integers(tensors.values(), words) != q).any():
    stop("the model's integers do not come back from their code: compose without it")
blank = torch.zeros(1, dtype=torch.int8)  # keeps a tensor's name and shape, in no bytes
blanks = {name: (blank.expand(t.shape), stored[name][1]) for name, t in tensors.items()}
stored = {**stored, **blanks, "": torch.from_numpy(words.view(np.int32))}


# @fill artifact.encoded
data += zlib.crc32(data).to_bytes(4, "little")


# @fill artifact.reading
if zlib.crc32(data) != 0x2144DF1C:  # of whatever its own checksum follows
    stop(f"{path} is cut short or damaged, at {len(data)} bytes: write or fetch it again")
data = data[:-4]


# @fill artifact.unpacked
words, blanks = stored.pop("").numpy().view(np.uint32), coded(stored)
q = torch.from_numpy(decode_integers(blanks.values(), words)).to(torch.int8).flatten()
for name, t in zip(blanks, q.split([t.numel() for t in blanks.values()])):
    stored[name] = t.view(blanks[name].shape), stored[name][1]
