# @fill quantize.calibrate
first = tuple(f"blocks.{layer}." for layer in h.int6_first_layers)
ranked = sorted(
    (name for name in hessians if kinds[name] == "matrix"),
    key=lambda name: (not name.startswith(first), -hessians[name].trace().item()),
)
narrow = ranked[h.n_int6_layers :]
log(h, f"sensitivity_bits:{len(narrow)} of {len(ranked)} matrices have one bit less")


# @fill quantize.after_bits
if name in narrow:
    bits = max(2, bits - 1)
