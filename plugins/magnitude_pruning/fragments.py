# @fill quantize.before
for name, t in state.items():
    if t.ndim == 2 and t.is_floating_point() and t.numel() > h.magnitude_pruning_above_numel:
        magnitude = t.float().abs()
        least = np.quantile(magnitude.numpy(), h.magnitude_pruning_share)
        state[name] = t.masked_fill(magnitude < least.item(), 0)
