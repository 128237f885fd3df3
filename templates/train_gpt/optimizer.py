# -----------------------------------------------------------------------------
# Optimizers


# @scope G (n, r, c), one update per matrix, and steps; returns them orthogonalised, same shape
# @part muon.orthogonalize
def orthogonalize(G: Tensor, steps: int) -> Tensor:
    """Drive each matrix's singular values towards 1: Newton-Schulz, quintic (Muon, Jordan 2024)."""
    X = G / (G.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = X.size(-2) > X.size(-1)
    if tall:
        X = X.mT
    for _ in range(steps):
        A = X @ X.mT
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    return X.mT if tall else X


# @endpart


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, then each matrix's update orthogonalised.

    Process r of W computes matrices r, r + W, ...; one all-reduce hands every update round.
    """

    def __init__(self, h: Hyperparameters, params: list[nn.Parameter], lr: float, momentum: float):
        super().__init__(params, dict(lr=lr, momentum=momentum))
        self.h = h
        self.orthogonalize = compiled(h, orthogonalize)
        self.dtype = torch.float32 if h.precision == "fp32" else torch.bfloat16

    @torch.no_grad()
    def step(self) -> None:
        h = self.h
        for group in self.param_groups:
            params, lr = group["params"], group["lr"]
            sizes = [p.numel() for p in params]
            flat = torch.zeros(sum(sizes), device=h.device, dtype=self.dtype)
            updates = [u.view_as(p) for u, p in zip(flat.split(sizes), params, strict=True)]
            # matrices of one shape go through the iteration together
            shapes = {}
            for p, update in list(zip(params, updates, strict=True))[h.rank :: h.world_size]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append((p, update))
            for shape, members in shapes.items():
                U = torch.stack([self.nesterov(p, group["momentum"]) for p, _ in members])
                # @scope self, h, group, shape (r, c), U (n, r, c) float32: rewrite U
                # @slot muon.update
                U = self.orthogonalize(U.to(self.dtype), h.muon_backend_steps)
                U = U * max(1, shape[0] / shape[1]) ** 0.5
                for u, (_, update) in zip(U, members, strict=True):
                    update.copy_(u)
            if h.world_size > 1:
                dist.all_reduce(flat)
            for p, update in zip(params, updates, strict=True):
                # @scope self, h, group, p, update (r, c), lr: rewrite p
                # @part muon.apply
                p.add_(update.to(p.dtype), alpha=-lr)
                # @endpart

    def nesterov(self, p: nn.Parameter, momentum: float) -> Tensor:
        """The gradient looked up one momentum step ahead; advances the running average."""
        state = self.state[p]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(p.grad)
        average = state["momentum_buffer"].mul_(momentum).add_(p.grad)
        return p.grad.add(average, alpha=momentum)


def make_optimizers(h: Hyperparameters, model: GPT) -> list[torch.optim.Optimizer]:
    """Embeddings, the untied head, matrices and everything else, each with its own rate.

    What a parameter is follows from the module that owns it, so none is forgotten.
    """
    embeddings, heads, matrices, scalars = [], [], [], []
    for module_name, module in model.named_modules():
        for p in module.parameters(recurse=False):
            if isinstance(module, nn.Embedding):
                embeddings.append(p)
            elif module_name == "lm_head":
                heads.append(p)
            elif isinstance(module, CastedLinear):
                matrices.append(p)
            else:
                scalars.append(p)

    # @scope h, model, embeddings, heads, matrices, scalars, lists of parameters: move them
    # @slot optimizer.groups

    def adam(params: list[nn.Parameter], lr: float) -> torch.optim.Optimizer:
        # @scope h, params, lr; return an optimizer of them
        # @part optimizer.adam
        return torch.optim.Adam(
            params, lr, (h.beta1, h.beta2), h.adam_eps, fused=h.device.type == "cuda"
        )
        # @endpart

    optimizers = [
        adam(embeddings, h.tied_embed_lr if h.tie_embeddings else h.embed_lr),
        *([adam(heads, h.head_lr)] if heads else []),
        Muon(h, matrices, h.matrix_lr, h.muon_momentum),
        adam(scalars, h.scalar_lr),
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
