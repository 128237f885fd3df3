# @fill modules
class BigramHash(nn.Module):
    """A narrow table of (previous token, token), projected to the width of the stream."""

    def __init__(self, h: Hyperparameters):
        super().__init__()
        self.buckets = h.bigram_vocab_size
        self.embed = nn.Embedding(self.buckets, h.bigram_dim)
        # @if hash == "xor"
        # public scripts left a projection below 64 x 64 at zero, where it and the table stay
        self.proj = CastedLinear(h.bigram_dim, h.model_dim)
        self.scale = nn.Parameter(torch.tensor(0.05))
        nn.init.zeros_(self.embed.weight)
        # @else
        self.proj = CastedLinear(h.bigram_dim, h.model_dim, zero_init=True)
        # @if hash != "mul31"
        nn.init.normal_(self.embed.weight, std=0.01)
        # @endif
        # @endif

    def bucket(self, ids: Tensor) -> Tensor:
        """Where each token and the one before it look up, (B, T)."""
        # @if hash == "xor"
        ids = ids.to(torch.int32)  # a large vocabulary overflows, here as in public scripts
        mixed = (36313 * ids[:, 1:]) ^ (27191 * ids[:, :-1])
        return F.pad(mixed % (self.buckets - 1), (1, 0), value=self.buckets - 1)
        # @elif hash == "mul92821"
        return (92821 * F.pad(ids[:, :-1], (1, 0)) + ids) % self.buckets
        # @elif hash == "mul31"
        return (31 * torch.cat((ids[:, :1], ids[:, :-1]), dim=1) + ids) % self.buckets
        # @else
        return (1009 * F.pad(ids[:, :-1], (1, 0)) + ids) % self.buckets
        # @endif

    def forward(self, ids: Tensor) -> Tensor:
        out = self.proj(self.embed(self.bucket(ids)))
        # @if hash == "xor"
        out = self.scale.to(out.dtype) * out
        # @endif
        return out


# @fill embed.init
self.bigram = BigramHash(h) if h.bigram_vocab_size > 1 else None


# @fill embed.added if not train_only
if self.bigram is not None:
    x = x + self.bigram(ids)


# @fill embed.added if train_only
if self.bigram is not None and self.training:
    x = x + self.bigram(ids)


# @fill optimizer.kinds if table_optimizer == "muon"
kinds.update({"bigram.embed.weight": "matrix"})


# @fill optimizer.kinds if table_optimizer == "scalar"
kinds.update({"bigram.embed.weight": "scalar"})


# @fill optimizer.kinds if proj_optimizer == "scalar"
kinds.update({"bigram.proj.weight": "scalar"})


# @fill quantize.before if table_optimizer == "scalar"
for table in ("bigram.embed.weight", "bigram.proj.weight"):
    if table in state and state[table].numel() <= h.int8_keep_float_max_numel:
        kinds[table] = "scalar"


# @fill model.ready if table_optimizer == "scalar"
if model.bigram is not None:
    model.bigram.embed.float()  # as scalars are, whatever the precision
