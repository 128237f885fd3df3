# @replace init.matrix
if module.zero_init:
    module.weight.zero_()
elif min(module.weight.shape) >= h.orthogonal_init_min_dim:
    nn.init.orthogonal_(module.weight)
