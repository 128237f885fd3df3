# @fill init.after
embedding = self.tok_emb.weight
svd = torch.linalg.svd(embedding, full_matrices=False)
rank = torch.arange(1, 1 + min(embedding.shape), dtype=torch.float32)
embedding.copy_(svd.U * (svd.S[0] * rank**-0.5) @ svd.Vh)
