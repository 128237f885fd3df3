# @replace quantize.stored_scale
dropped = 10 - Hyperparameters.coarse_scales_mantissa_bits
# to the nearest; what carries over is the next power of two
bits = scale.to(torch.float16).clamp_min(2**-24).view(torch.int16) + (1 << dropped >> 1)
return (bits >> dropped << dropped).clamp_min(1).view(torch.float16).float()
