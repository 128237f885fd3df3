# @replace quantize.scales
if bits > h.clip_search_up_to_bits:
    return [percentile_clip(h, w, top)]
share = torch.tensor([0.999, 0.9995, 0.9999, 0.99999, 1.0])
clips = torch.quantile(w.abs(), share, dim=1).clamp_min(h.clip_search_least_clip)
# alike where least_clip is above them, as in most rows of public runs: one try is enough then
return [(w, scale) for scale in as_stored(clips / top).unique(dim=0)]
