# @fill modules
class SmearGate(nn.Module):
    """Mixes each position with the one before it; before the first there are zeros."""

    def __init__(self, h: Hyperparameters):
        super().__init__()
        # @if form == "mix0"
        gate = 0.0
        # @elif form == "keep3"
        gate = 3.0
        # @else
        gate = 5.0
        # @endif
        self.gate = nn.Parameter(torch.full((h.model_dim,), gate))

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        previous = F.pad(x[:, :-1], (0, 0, 1, 0))
        # @if documents == "apart"
        previous = previous * (ids != 1)[..., None]  # before a BOS another document ended
        # @endif
        # @if form == "mix0"
        gate = torch.sigmoid(self.gate.to(x.dtype))
        return (1 - gate) * x + gate * previous
        # @else
        gate = torch.sigmoid(self.gate).to(x.dtype)
        return gate * x + (1 - gate) * previous  # the gate is of what is kept
        # @endif


# @fill embed.init
self.smear = SmearGate(h)


# @fill embed.normed if form == "mix0"
x = self.smear(x, ids)


# @fill embed.added if form == "keep3"
x = self.smear(x, ids)


# @fill embed.tokens if form == "keep5"
x = self.smear(x, ids)
