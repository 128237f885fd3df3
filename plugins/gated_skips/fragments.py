# @fill layers.skip_init
self.skip_gates = nn.Parameter(torch.zeros_like(self.skip_weights))  # half and half at first


# @fill layers.start
skip_gates = torch.sigmoid(self.skip_gates.to(x.dtype)).unbind()


# @replace layers.skip
x = torch.lerp(skip_weights[row] * skip, x, skip_gates[row])
