# @replace quantize.scales
sigmas = h.embed_clip_sigmas if kind == "embedding" else h.matrix_clip_sigmas
return [(w, sigmas * w.std(dim=1) / top)]
