# @replace quantize.solve
q = torch.round(w / scale[:, None]).clamp(-top, top)
layers = tuple(f"blocks.{layer}." for layer in h.int4_layers) or "blocks."
if kind == "matrix" and name.startswith(layers):
    # the ends of the range stay what they are: PR #86 cut them to 124
    q = (h.int4_step * torch.round(q / h.int4_step)).clamp(-top, top)
