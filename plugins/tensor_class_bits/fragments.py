# @replace quantize.label
QUANTIZER = f"int{Hyperparameters.matrix_bits}"


# @fill modules
def class_bits(h: Hyperparameters, name: str, kind: str) -> int:
    """Bits of a large parameter's integers, by what it belongs to; above 8 it stays a float."""
    patterns = h.fp16_keep_name_patterns
    if kind == "scalar" or (patterns and any(one and one in name for one in patterns.split(","))):
        return 16
    if "bigram" in name:
        return h.bigram_bits
    if "mlp." in name:
        return h.mlp_bits or h.matrix_bits
    if ".attn." in name:
        return h.matrix_bits
    return h.embed_bits if name.startswith(("tok_emb", "lm_head")) else h.other_bits


# @replace quantize.bits
bits = class_bits(h, name, kind)


# @fill main.setup
if h.mlp_bits == 1:
    stop("MLP_BITS=1: an integer takes 2 at least, and 0 stands for MATRIX_BITS")
