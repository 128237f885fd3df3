# @replace data.loader
class Loader:
    """Sequences of the shards rank, rank + W, ..., in an order drawn from the rank alone.

    A shard is cut from a random phase on; every sequence is read once before any is again.
    """

    def __init__(self, h: Hyperparameters):
        self.h = h
        files = shard_files(h, "train")[h.rank :: h.world_size]
        if not files:
            stop(f"{h.world_size} processes need as many train shards in {h.data_path} (DATA_PATH)")
        self.shards = [read_shard(h, path) for path in files]
        self.rng = np.random.Generator(np.random.PCG64(h.rank))
        self.starts = [self.draw(shard) for shard in self.shards]
        if not any(self.starts):
            stop(f"the shards of {h.data_path} hold no sequence of TRAIN_SEQ_LEN + 1 tokens")

    def draw(self, shard: Tensor) -> list[int]:
        """Where the sequences of a shard start, in the reverse of the order they are read."""
        T = self.h.train_seq_len
        most = min(T - 1, max(0, len(shard) - T - 1))
        phase = int(self.rng.integers(most + 1)) if most > 0 else 0
        return (phase + T * self.rng.permutation((len(shard) - 1 - phase) // T)).tolist()

    def next_sequence(self) -> Tensor:
        """One sequence and its last target (T + 1,), from a shard drawn by what it has left."""
        left = np.array([len(starts) for starts in self.starts], dtype=np.float64)
        if not left.any():
            self.starts = [self.draw(shard) for shard in self.shards]
            left = np.array([len(starts) for starts in self.starts], dtype=np.float64)
        chosen = int(self.rng.choice(len(self.shards), p=left / left.sum()))
        start = self.starts[chosen].pop()
        return self.shards[chosen][start : start + self.h.train_seq_len + 1]

    def next_batch(self) -> tuple[Tensor, Tensor]:
        h = self.h
        count = h.train_batch_tokens // (h.world_size * h.grad_accum_steps * h.train_seq_len)
        rows = torch.stack([self.next_sequence() for _ in range(count)]).to(torch.int64)
        ids, targets = rows[:, :-1], rows[:, 1:]  # (B, T)
        return ids.to(h.device), targets.to(h.device)
