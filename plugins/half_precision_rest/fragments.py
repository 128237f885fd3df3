# @replace quantize.keep
# public scripts ask for the size first: only a large scalar stays float32
kept = t.float() if large and kind == "scalar" else t.to(torch.float16)
