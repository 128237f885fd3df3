"""Slow the rotary frequencies down for sequences longer than a base length (dynamic NTK)."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="ROPE",
    source="arXiv:2309.00071; PR #61, PR #265",
    hyperparameters=(
        # public scripts keep it at 1024 though they train on 2048, so it acts in training too
        Hyperparameter(
            "train_seq_len", 1024, "longer sequences are slowed", unit="tokens", minimum=1
        ),
    ),
)
