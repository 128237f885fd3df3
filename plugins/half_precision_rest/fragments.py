# @replace quantize.keep
kept = t.to(torch.float16)
