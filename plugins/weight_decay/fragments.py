# @fill muon.init
defaults["weight_decay"] = h.muon_wd


# @replace optimizer.adam
decay = {"embedding": h.embed_wd, "scalar": h.adam_wd}.get(kind, 0.0)
return torch.optim.AdamW(groups[kind], lr, betas, h.adam_eps, decay, fused=fused)


# @replace muon.apply
p.mul_(1 - lr * group["weight_decay"]).add_(update.to(p.dtype), alpha=-lr)
