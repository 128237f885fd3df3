# @fill layers.skip_init
self.skip_gates = nn.Parameter(torch.zeros_like(self.skip_weights))  # half and half at first


# @replace layers.skip
weight = self.skip_weights[step].to(x.dtype)
gate = torch.sigmoid(self.skip_gates[step].to(x.dtype))
x = torch.lerp(weight * skip, x, gate)
