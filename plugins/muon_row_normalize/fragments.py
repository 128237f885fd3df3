# @fill muon.update
U = U / U.norm(dim=-1, keepdim=True).clamp_min(1e-7)
