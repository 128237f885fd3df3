# @fill loss.terms
if self.training:
    loss = loss + self.h.z_loss_weight * logits.float().logsumexp(-1).square()
