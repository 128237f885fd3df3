# @fill muon.init
self.coming = {}  # by a stack's first: this process's share of gradients, and its arrival
# @if warmup_momentum == "kept"
self.kept = {}  # outside the state that warm-up restores
# @endif


# @replace muon.updates
def stacks(self, group: dict) -> list[list[nn.Parameter]]:
    """Matrices of one shape each: stacked, they are shared out and orthogonalised together."""
    shapes = {}
    for p in group["params"]:
        shapes.setdefault(p.shape, []).append(p)
    return list(shapes.values())


def scatter(self) -> None:
    """Start to average gradients, of each stack only the share that this process updates."""
    h = self.h
    stacks = [stack for group in self.param_groups for stack in self.stacks(group)]
    # the largest first: it takes longest, and there is most to do meanwhile
    for stack in sorted(stacks, key=lambda stack: -len(stack) * stack[0].numel()):
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in stack]
        whole = torch.stack([grad.to(self.dtype) for grad in grads])
        share, work = whole, None
        if h.world_size > 1:
            whole = F.pad(whole, (0, 0, 0, 0, 0, -len(stack) % h.world_size))
            share = whole.new_empty(len(whole) // h.world_size, *whole.shape[1:])
            work = dist.reduce_scatter_tensor(share, whole, dist.ReduceOp.AVG, async_op=True)
        self.coming[stack[0]] = share, work


def updates(self, group: dict) -> Iterator[tuple[nn.Parameter, Tensor]]:
    """While one stack's updates are handed round, the next one's are computed."""
    h, gathered = self.h, []
    for stack in self.stacks(group):
        share, work = self.coming.pop(stack[0])
        if work:
            work.wait()
        # @if warmup_momentum == "kept"
        state = self.kept.setdefault(stack[0], {})
        # @else
        state = self.state[stack[0]]
        # @endif
        # the momentum of a share stays with its process, in the type that gradients travel in
        U = self.direction(self.nesterov(state, share, group["momentum"]).float())
        if h.world_size > 1:
            share, U = U, U.new_empty(h.world_size * len(U), *U.shape[1:])
            work = dist.all_gather_into_tensor(U, share, async_op=True)
        gathered.append((stack, U, work))
    for stack, U, work in gathered:
        if work:
            work.wait()
        yield from zip(stack, U, strict=False)  # what fills a stack up comes last


# @replace train.average_gradients
pass  # each optimizer has its own way, see update()


# @replace train.update
muons = [one for one in optimizers if isinstance(one, Muon)]
for muon in muons:
    muon.scatter()
for optimizer in optimizers:
    if optimizer in muons:
        continue
    for p in (p for group in optimizer.param_groups for p in group["params"]):
        if p.grad is not None and dist.is_initialized():
            dist.all_reduce(p.grad, dist.ReduceOp.AVG)
    optimizer.step()
for muon in muons:
    muon.step()
