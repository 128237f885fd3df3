# @fill block.init if form == "joint"
self.parallel = layer >= h.parallel_residual_start


# @replace block.residual if form == "joint"
attended = self.attend(x, cos, sin)
# one after the other: the MLP reads what attention wrote; side by side: what it read
x = x + attended + self.feed(x if self.parallel else x + attended, mlp)


# @fill layers.init if "merge" in form
self.lane_merge = nn.Parameter(torch.tensor(0.5))  # attention's share of the last hidden state


# @fill layers.init if form in ("cross", "deferred")
# of each layer: what attention, and the MLP, writes to lanes 0 and 1
self.parallel_post_lambdas = nn.Parameter(torch.ones(h.num_layers, 2, 2))
# @if form == "cross"
# what both lanes keep when attention writes, and when the MLP does
self.parallel_resid_lambdas = nn.Parameter(torch.full((h.num_layers, 2), 1.1**0.5))
# @else
# what lanes 0 and 1 keep
self.parallel_resid_lambdas = nn.Parameter(torch.full((h.num_layers, 2), 1.1))
# @endif


# @fill layers.methods if form != "joint"
def run_on_lanes(
    self, layer: int, x: Tensor, lane: Tensor, x0: Tensor, cos: Tensor, sin: Tensor, mlp
) -> tuple[Tensor, Tensor]:
    """One layer on two lanes (B, T, D): attention reads x, lane 0, and the MLP lane 1."""
    block = self.blocks[layer]
    # @if "merge" in form
    x = block.mix(x, x0)
    return x + block.attend(x, cos, sin), lane + block.feed(lane, mlp)
    # @else
    keep = self.parallel_resid_lambdas[layer].to(x.dtype)
    of_attention, of_mlp = self.parallel_post_lambdas[layer].to(x.dtype)
    attended = block.attend(block.mix(x, x0), cos, sin)
    # @if form == "cross"
    x, lane = (keep[0] * one + of_attention[n] * attended for n, one in enumerate((x, lane)))
    fed = block.feed(block.mix(lane, x0), mlp)
    x, lane = (keep[1] * one + of_mlp[n] * fed for n, one in enumerate((x, lane)))
    # @else
    fed = block.feed(lane, mlp)
    x = keep[0] * x + of_attention[0] * attended + of_mlp[0] * fed
    lane = keep[1] * lane + of_attention[1] * attended + of_mlp[1] * fed
    # @endif
    return x, lane
    # @endif


# @fill layers.start if form != "joint"
lane = None  # the MLP's, from the split on; attention's is x


# @fill layers.before_skip if form == "merge_skipless"
if lane is not None:
    row = -1


# @fill layers.before_skip if form == "cross"
if lane is not None:
    x = torch.stack((x, lane))  # (2, B, T, D): the skip is added to both


# @replace layers.block if form != "joint"
# @if form == "cross"
if lane is not None:
    x, lane = x.unbind()
# @endif
if lane is None and layer >= self.h.parallel_residual_start:
    lane = x  # the stream parts
if lane is None:
    x = self.blocks[layer](x, x0, cos, sin, mlp)
else:
    x, lane = self.run_on_lanes(layer, x, lane, x0, cos, sin, mlp)


# @fill final.hidden if form != "joint"
if lane is not None:
    # @if "merge" in form
    share = self.lane_merge.to(x.dtype)
    x = share * x + (1 - share) * lane
    # @else
    x = (x + lane) / 2
    # @endif
