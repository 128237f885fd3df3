# @fill muon.update if orientation == "stored"
U = U / U.norm(dim=-1, keepdim=True).clamp_min(1e-7)


# @fill muon.oriented if orientation == "transposed"
X = X / X.norm(dim=-1, keepdim=True).clamp_min(1e-7)
