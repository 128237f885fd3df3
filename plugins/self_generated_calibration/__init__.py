"""Calibrate GPTQ on text that the model writes itself instead of on training data."""

from pgolf_compose import Hyperparameter, Technique

technique = Technique(
    __name__,
    env_prefix="GPTQ",
    source="PR #1019",
    switch="GPTQ_AR_SELFGEN",
    requires={"gptq": "its calibration is what this text is for"},
    keeps={
        "7": "calibrated on text of the model's own, which no validation token has part in",
        "8": "no training data is read after the clock; gptq.reserve_seconds covers the writing",
    },
    smoke={"GPTQ_CALIB_SEQS": "2"},
    hyperparameters=(
        Hyperparameter(
            "calib_seqs",
            64,
            "texts of train_seq_len tokens",
            minimum=1,
            env="GPTQ_CALIB_SEQS GPTQ_CALIB_SAMPLES",
        ),
        Hyperparameter("batch_size", 8, "texts written side by side", minimum=1),
        Hyperparameter("temperature", 0.8, "of sampling; below 1: likelier text", minimum=0.01),
    ),
)
