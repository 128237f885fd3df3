"""Lift the odds of the token that has most often followed the same last tokens in the text so far.

One pass over the validation text gives each position a hint or none: of the longest context
(16 tokens down to 8) that was seen often enough and mostly with one successor, that successor.
When a window is scored, the probability p of the hint grows to p e^b / (1 + p (e^b - 1)), where b
is base_beta times the share of the successor, and all others shrink in proportion. Every score
by windows is tilted; the record's was in its last stage only.

Left out are the public experts for word starts and within words, whose weight was 0 in the record;
they could still raise b by 0.1 where they agreed. Contexts are told apart exactly, where the
public table held hashes of 26 bits.
"""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="NGRAM",
    source="PR #1420; strictly causal since PR #1514",
    requires={"sliding_window_eval": "it tilts what its windows score"},
    after=("sliding_window_eval",),
    switch="NGRAM_TILT_ENABLED",
    keeps={
        "C1": "a hint is made of earlier tokens only",
        "C2": "hint and tilt are there before the token; what is tilted is normalised again",
        "C3": "counts take a token in after its own hint was made",
        "9": "every token has its odds, whether it is the hint or not",
        "11": "what tells whether to tilt is read off earlier tokens",
    },
    smoke={"NGRAM_ORDER_STRIDE": "4"},
    hyperparameters=(
        Hyperparameter("base_beta", 2.0, "log odds for a successor without rivals", minimum=0),
        Hyperparameter("order_stride", 2, "between the lengths of contexts", "tokens", minimum=1),
    ),
)
