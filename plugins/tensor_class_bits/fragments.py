# @replace quantize.label
QUANTIZER = f"int{Hyperparameters.matrix_bits}"


# @replace quantize.bits
bits = h.embed_bits if kind == "embedding" else h.matrix_bits
