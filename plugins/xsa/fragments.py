# @fill attention.init
self.use_xsa = layer >= h.num_layers - h.xsa_last_n


# @fill attention.methods
def remove_own_value(self, y: Tensor, v: Tensor) -> Tensor:
    """Take from each head's output what points along its own token's value."""
    B, T, H, d = y.shape
    grouped = y.view(B, T, self.num_kv_heads, -1, d)  # heads that share a value together
    direction = F.normalize(v, dim=-1).unsqueeze(-2)
    own = (grouped * direction).sum(-1, keepdim=True) * direction
    return (grouped - own).view(B, T, H, d)


# @fill attention.after
if self.use_xsa:
    y = self.remove_own_value(y, v)
