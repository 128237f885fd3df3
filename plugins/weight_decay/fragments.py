# @fill muon.init
defaults["weight_decay"] = h.muon_wd


# @replace optimizer.adam
of_embeddings = h.embed_wd if h.embed_wd >= 0 else h.adam_wd
decay = {"embedding": of_embeddings, "scalar": h.adam_wd}.get(kind, 0.0)
return torch.optim.AdamW(groups[kind], lr, betas, h.adam_eps, decay, fused=fused)


# @replace muon.apply if placement == "before"
p.mul_(1 - lr * group["weight_decay"]).add_(update.to(p.dtype), alpha=-lr)


# @replace muon.apply if placement == "after"
p.add_(update.to(p.dtype), alpha=-lr).mul_(1 - lr * group["weight_decay"])
