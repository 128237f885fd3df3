# @replace quantize.scales
sigmas = h.embed_clip_sigmas if kind == "embedding" else h.matrix_clip_sigmas
# @scope kind, sigmas: rewrite sigmas, the deviations at which rows clip
# @slot sdclip.sigmas
scale = sigmas * w.std(dim=1) / top
# @if "gptq" in techniques
if h.hessian_clip_lambda and name in hessians:
    curvature = damped(h, hessians[name]).diagonal().clamp_min(1e-8)
    weight = w.abs() @ (curvature / curvature.mean())
    scale = scale * (1 + h.hessian_clip_lambda * (weight / weight.mean() - 1))
# @endif
if h.sdclip_least_clip:
    scale = scale.clamp_min(h.sdclip_least_clip / top)
return [(w, as_stored(scale))]


# @fill main.setup
# @if "gptq" not in techniques
if h.hessian_clip_lambda:
    stop("HESSIAN_CLIP_LAMBDA weighs rows by what gptq collects: compose with gptq")
# @endif
