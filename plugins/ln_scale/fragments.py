# @fill block.init
self.ln_scale = (layer + 1) ** -0.5


# @fill block.norm
x = x * self.ln_scale
