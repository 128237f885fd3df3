# @replace quantize.scales
if bits > h.row_max_up_to_bits:
    return [percentile_clip(h, w, top)]
largest = w.abs().amax(dim=1).clamp_min(h.row_max_least_clip)
return [(w, as_stored(largest / top))]
