# -----------------------------------------------------------------------------
# Data


def shard_files(h: Hyperparameters, split: str) -> list[Path]:
    """The shards of "train" or "val", by name."""
    found = sorted(Path(h.data_path).glob(f"fineweb_{split}_*.bin"))
    files = [path for path in found if path.is_file()]
    if not files:
        stop(f"no {split} shards: nothing matches {h.data_path}/fineweb_{split}_*.bin (DATA_PATH)")
    return files


def read_shard(h: Hyperparameters, path: Path) -> Tensor:
    """One shard's tokens, uint16 (n,): 256 little-endian int32 words of header, then n ids."""
    header = np.fromfile(path, dtype="<i4", count=256)
    if header.size != 256 or header[0] != 20240520 or header[1] != 1:
        stop(f"{path} is not a token shard: it does not start with the words 20240520, 1")
    count, size = int(header[2]), path.stat().st_size
    if count < 1 or size != 1024 + 2 * count:
        stop(f"{path} is damaged: {count} tokens are {1024 + 2 * count} bytes, it has {size}")
    tokens = np.memmap(path, dtype="<u2", mode="c", offset=1024, shape=(count,))
    if tokens.max() >= h.vocab_size:
        stop(f"{path} holds token {tokens.max()}; the vocabulary has {h.vocab_size} (VOCAB_SIZE)")
    return torch.from_numpy(tokens)


# @scope h; offers Loader(h).next_batch() -> ids, targets (B, T) int64 on h.device
# @part data.loader
class Loader:
    """The shards as one endless stream; each process takes its own slice of every stretch.

    A stretch has one slice per process, of its tokens + 1, so process r of 8 reads what
    micro-batch r reads when there is one process.
    """

    def __init__(self, h: Hyperparameters):
        self.h = h
        self.files = shard_files(h, "train")
        self.opened = 0
        self.rest = torch.empty(0, dtype=torch.uint16)

    def take(self, count: int) -> Tensor:
        parts = []
        while count > 0:
            if not len(self.rest):
                self.rest = read_shard(self.h, self.files[self.opened % len(self.files)])
                self.opened += 1
            parts.append(self.rest[:count])
            self.rest = self.rest[count:]
            count -= len(parts[-1])
        return torch.cat(parts)

    def next_batch(self) -> tuple[Tensor, Tensor]:
        h = self.h
        span = h.train_batch_tokens // (h.world_size * h.grad_accum_steps) + 1
        stretch = self.take(span * h.world_size)
        mine = stretch[h.rank * span : (h.rank + 1) * span].to(torch.int64)
        ids = mine[:-1].view(-1, h.train_seq_len)  # (B, T)
        targets = mine[1:].view(-1, h.train_seq_len)
        return ids.to(h.device), targets.to(h.device)


# @endpart


# @scope h; offers ByteCounts(h)(previous, targets) -> bytes of each target, int16
# @part data.byte_counts
class ByteCounts:
    """How many UTF-8 bytes of text a token stands for, from the SentencePiece model.

    A piece that starts with U+2581 is worth one more byte, the space, unless the token before
    it is a boundary (control, unknown or unused).
    """

    def __init__(self, h: Hyperparameters):
        if not Path(h.tokenizer_path).is_file():
            stop(f"no tokenizer at {h.tokenizer_path} (TOKENIZER_PATH)")
        try:
            pieces = sentencepiece.SentencePieceProcessor(model_file=str(h.tokenizer_path))
        except (RuntimeError, OSError):
            stop(f"{h.tokenizer_path} is no SentencePiece model (TOKENIZER_PATH)")
        size = pieces.vocab_size()
        if size != h.vocab_size:
            stop(f"{h.tokenizer_path} has {size} pieces, not {h.vocab_size} (VOCAB_SIZE)")
        self.base = torch.zeros(size, dtype=torch.int16)
        self.space = torch.zeros(size, dtype=torch.bool)
        self.boundary = torch.zeros(size, dtype=torch.bool)
        for i in range(size):
            if pieces.is_control(i) or pieces.is_unknown(i) or pieces.is_unused(i):
                self.boundary[i] = True
            elif pieces.is_byte(i):
                self.base[i] = 1
            else:
                piece = pieces.id_to_piece(i)
                self.space[i] = piece.startswith("\u2581")
                self.base[i] = len(piece.removeprefix("\u2581").encode("utf-8"))
        self.base, self.space, self.boundary = (
            table.to(h.device) for table in (self.base, self.space, self.boundary)
        )

    def __call__(self, previous: Tensor, targets: Tensor) -> Tensor:
        return self.base[targets] + (self.space[targets] & ~self.boundary[previous])


# @endpart


class Validation:
    """The whole validation split: `tokens` int64 (n * T + 1,) and the bytes they stand for."""

    def __init__(self, h: Hyperparameters):
        self.byte_counts = ByteCounts(h)
        tokens = torch.cat([read_shard(h, path) for path in shard_files(h, "val")])
        rows = (len(tokens) - 1) // h.eval_seq_len
        if rows < 1:
            stop(f"{h.data_path}: {len(tokens)} validation tokens are less than one sequence")
        self.tokens = tokens[: rows * h.eval_seq_len + 1].to(torch.int64)
