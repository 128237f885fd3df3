# -----------------------------------------------------------------------------
# Optimizers


# @scope G (n, r, c), one update per matrix, and steps; returns them orthogonalised, same shape
# @part muon.orthogonalize
def orthogonalize(G: Tensor, steps: int) -> Tensor:
    """Drive each matrix's singular values towards 1: Newton-Schulz, quintic (Muon, Jordan 2024)."""
    tall = G.size(-2) > G.size(-1)
    X = G.mT if tall else G
    # @scope X (n, r, c), no row longer than there are columns: rewrite X
    # @slot muon.oriented
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    # @scope steps; assign coefficients, one (a, b, c) of each iteration
    # @part muon.coefficients
    coefficients = [(3.4445, -4.7750, 2.0315)] * steps
    # @endpart
    for a, b, c in coefficients:
        A = X @ X.mT
        X = a * X + (b * A + c * A @ A) @ X
    return X.mT if tall else X


# @endpart


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, then each matrix's update orthogonalised."""

    def __init__(self, h: Hyperparameters, params: list[nn.Parameter], lr: float, momentum: float):
        defaults = {"lr": lr, "momentum": momentum}
        # @scope self, h, defaults of a parameter group: rewrite it
        # @slot muon.init
        super().__init__(params, defaults)
        self.h = h
        self.orthogonalize = compiled(h, orthogonalize)
        self.dtype = torch.float32 if h.precision == "fp32" else torch.bfloat16

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            lr = group["lr"]
            for p, update in self.updates(group):
                # @scope self, group, p, update (r, c), lr: rewrite p
                # @part muon.apply
                p.add_(update.to(p.dtype), alpha=-lr)
                # @endpart

    # @scope the class body; offers updates(group), which yields (parameter, update) of all of it
    # @part muon.updates
    def updates(self, group: dict) -> Iterator[tuple[nn.Parameter, Tensor]]:
        """Process r of W computes matrices r, r + W, ...; one all-reduce hands them round."""
        h, params = self.h, group["params"]
        sizes = [p.numel() for p in params]
        flat = torch.zeros(sum(sizes), device=h.device, dtype=self.dtype)
        updates = [u.view_as(p) for u, p in zip(flat.split(sizes), params)]
        # matrices of one shape go through the iteration together
        shapes = {}
        for p, update in list(zip(params, updates))[h.rank :: h.world_size]:
            if p.grad is not None:
                shapes.setdefault(p.shape, []).append((p, update))
        for members in shapes.values():
            U = [self.nesterov(self.state[p], p.grad, group["momentum"]) for p, _ in members]
            for u, (_, update) in zip(self.direction(torch.stack(U)), members):
                update.copy_(u)
        if h.world_size > 1:
            dist.all_reduce(flat)
        yield from zip(params, updates)

    # @endpart

    def nesterov(self, state: dict, grad: Tensor, momentum: float) -> Tensor:
        """The gradient looked up one momentum step ahead; advances the running average."""
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(grad)
        average = state["momentum_buffer"].mul_(momentum).add_(grad)
        return grad.add(average, alpha=momentum)

    def direction(self, U: Tensor) -> Tensor:
        """Updates of matrices of one shape (n, r, c), orthogonalised."""
        h = self.h
        # @scope self, h, U (n, r, c) float32: rewrite U
        # @slot muon.update
        U = self.orthogonalize(U.to(self.dtype), h.muon_backend_steps)
        return U * max(1, U.size(-2) / U.size(-1)) ** 0.5


def make_optimizers(h: Hyperparameters, model: GPT) -> list[torch.optim.Optimizer]:
    """Adam for embeddings, an untied head and scalars, Muon for matrices, each at its own rate."""
    groups = {"embedding": [], "head": [], "matrix": [], "scalar": []}
    kinds = parameter_kinds(model)
    # @scope h, model, kinds (name -> embedding, head, matrix or scalar): rewrite who trains what
    # @slot optimizer.kinds
    for name, p in model.named_parameters():
        groups[kinds[name]].append(p)
    # @scope h, model, kinds, groups (kind -> parameters): move them
    # @slot optimizer.groups

    def adam(kind: str, lr: float) -> torch.optim.Optimizer:
        betas, fused = (h.beta1, h.beta2), h.device.type == "cuda"
        # @scope h, kind, groups, lr, betas, fused; return an optimizer of groups[kind]
        # @part optimizer.adam
        return torch.optim.Adam(groups[kind], lr, betas, h.adam_eps, fused=fused)
        # @endpart

    optimizers = [
        adam("embedding", h.tied_embed_lr if h.tie_embeddings else h.embed_lr),
        *([] if h.tie_embeddings else [adam("head", h.head_lr)]),
        Muon(h, groups["matrix"], h.matrix_lr, h.muon_momentum),
        adam("scalar", h.scalar_lr),
    ]
    # @scope h, model, optimizers: append to it
    # @slot optimizer.more
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["base_lr"] = group["lr"]
    check_coverage(model, optimizers)
    return optimizers


def check_coverage(model: GPT, optimizers: list[torch.optim.Optimizer]) -> None:
    """Every trainable parameter is in exactly one group: outside all, it would never train."""
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    held = [id(p) for group in groups for p in group["params"]]
    for name, p in model.named_parameters():
        if p.requires_grad and held.count(id(p)) != 1:
            stop(f"parameter {name} is in {held.count(id(p))} optimizer groups instead of one")
