# @fill init.after
for name, module in self.named_modules():
    if name.endswith(".proj") and isinstance(module, CastedLinear):
        module.weight.mul_((2 * h.num_layers) ** -0.5)
