# @fill block.init
self.parallel = layer >= h.parallel_residual_start


# @replace block.residual
attended = self.attn_scale.to(x.dtype) * self.attn(self.norm(x), cos, sin)
# one after the other: the MLP reads what attention wrote; side by side: what it read
seen = x if self.parallel else x + attended
x = x + attended + self.mlp_scale.to(x.dtype) * self.mlp(self.norm(seen))
