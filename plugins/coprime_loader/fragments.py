# @fill imports.standard
import functools
import itertools


# @replace data.loader if order == "sampled"
@functools.cache
def train_shards(h: Hyperparameters) -> dict[str, Tensor]:
    """Tokens by path; read once, for warm-up and training each make a Loader."""
    return {str(path): read_shard(h, path) for path in shard_files(h, "train")}


class Loader:
    """Windows of all shards, mixed the more the longer training lasts (PR #726, PR #1060).

    Every process draws the same windows and takes each W-th. What seeds the draws is the text
    of the shards' paths: from another folder, the same data comes in another order.
    """

    def __init__(self, h: Hyperparameters):
        self.h, self.batches = h, 0
        self.shards = [shard for shard in train_shards(h).values() if len(shard) > h.train_seq_len]
        if not self.shards:
            stop(f"the shards of {h.data_path} hold no sequence of TRAIN_SEQ_LEN + 1 tokens")
        self.ahead = [None] * len(self.shards)  # of each, where its next windows start
        seed = 0
        for byte in "".join(train_shards(h)).encode():
            seed = (seed ^ byte) * 1099511628211 % 2**64
        self.rng = np.random.Generator(np.random.PCG64(seed))

    def draw(self, tokens: int) -> np.ndarray:
        """Starts of all windows of a shard from a random phase on, in a random stride."""
        T = self.h.train_seq_len
        phase = self.rng.integers(min(T, tokens - T))
        blocks = int(tokens - 1 - phase) // T
        first, stride = self.rng.integers(blocks), 0
        while math.gcd(stride, blocks) != 1:
            stride = int(self.rng.integers(1, blocks))
        return phase + T * ((first + stride * np.arange(blocks)) % blocks)

    def take(self, i: int, count: int) -> np.ndarray:
        """Starts of the next windows of shard i; one that is read through is cut anew."""
        parts = []
        while count > 0:
            if self.ahead[i] is None or not len(self.ahead[i]):
                self.ahead[i] = self.draw(len(self.shards[i]))
            parts.append(self.ahead[i][:count])
            self.ahead[i] = self.ahead[i][count:]
            count -= len(parts[-1])
        return np.concatenate(parts)

    def windows(self, count: int) -> list[tuple[int, int]]:
        """Shard and start of the next windows, of all processes together."""
        h, rng, size = self.h, self.rng, len(self.shards)
        done = min(self.batches / 1800, 1.0)
        self.batches += 1
        left = [
            (len(shard) - 1) // h.train_seq_len if starts is None else max(1, len(starts))
            for shard, starts in zip(self.shards, self.ahead)
        ]
        weight = np.array(left, dtype=np.float64) ** (0.9 - 0.4 * done)
        few = min(max(8, h.world_size), size, count)
        many = min(max(32, 8 * h.world_size), size, count)
        mixed = round(few + done * (many - few))
        chosen = rng.choice(size, mixed, replace=False, p=weight / weight.sum())
        share = weight[chosen] / weight[chosen].sum()
        counts = 1 + rng.multinomial(count - mixed, share)
        order = rng.permutation(mixed)
        queues = [
            [(i, start) for start in rng.permutation(self.take(i, n))]
            for i, n in zip(chosen[order], counts[order])
        ]
        found = []
        while queues:  # one window of each shard, in another order every round
            found += [queues[i].pop() for i in rng.permutation(len(queues))]
            queues = [queue for queue in queues if queue]
        return found

    def next_batch(self) -> tuple[Tensor, Tensor]:
        h, T = self.h, self.h.train_seq_len
        count = h.train_batch_tokens // (h.grad_accum_steps * T)
        mine = self.windows(count)[h.rank :: h.world_size]
        rows = torch.stack([self.shards[i][start : start + T + 1] for i, start in mine])
        ids, targets = rows[:, :-1].to(torch.int64), rows[:, 1:].to(torch.int64)  # (B, T)
        return ids.to(h.device), targets.to(h.device)


# @fill hyperparameters if order == "deterministic"
loader_mode = env("LOADER_MODE", "coprime", settled=True)  # composed in


# @replace data.loader if order == "deterministic"
def coprime_from(least: int, size: int) -> int:
    """The smallest number from `least` on that has no divisor in common with `size`."""
    return next(n for n in itertools.count(least) if math.gcd(n, size) == 1)


class Loader:
    """A process keeps to one shard for many batches, then to the next of its own (PR #1120).

    Where a shard starts, in which stride its windows come, and in which stride shards follow
    one another, all follows from SEED. Each process counts for itself what it has read.
    """

    def __init__(self, h: Hyperparameters):
        self.h, self.files, self.batches = h, shard_files(h, "train"), 0
        self.stride = coprime_from((41 * h.seed + 3) % len(self.files), len(self.files))
        self.visited = [0] * len(self.files)  # windows of each shard
        self.shard = functools.lru_cache(h.coprime_max_loaded_shards)(
            lambda i: read_shard(h, self.files[i])
        )

    def next_window(self, i: int) -> Tensor:
        """The next T + 1 tokens of shard i."""
        h, T, shard = self.h, self.h.train_seq_len, self.shard(i)
        blocks = (len(shard) - 1) // T
        if not blocks:
            stop(f"{self.files[i]} holds no sequence of TRAIN_SEQ_LEN + 1 tokens")
        stride = coprime_from((29 * h.seed + 7 * i + 1) % blocks, blocks)
        block = (131 * h.seed + 17 * i + self.visited[i] * stride) % blocks
        self.visited[i] += 1
        return shard[block * T : (block + 1) * T + 1]

    def next_batch(self) -> tuple[Tensor, Tensor]:
        h, shards = self.h, len(self.files)
        count = h.train_batch_tokens // (h.world_size * h.grad_accum_steps * h.train_seq_len)
        turn = self.batches // h.coprime_shard_hold_steps * h.world_size + h.rank
        self.batches += 1
        beside = [(turn + n) * self.stride % shards for n in range(h.coprime_shards_per_batch)]
        rows = torch.stack([self.next_window(beside[n % len(beside)]) for n in range(count)])
        ids, targets = rows[:, :-1].to(torch.int64), rows[:, 1:].to(torch.int64)  # (B, T)
        return ids.to(h.device), targets.to(h.device)
