"""Learn a low-rank correction of each document from its chunks that have been scored."""

from pgolf_compose import Hyperparameter, Technique


def misfit(values) -> str:
    longest = max(values["eval_seq_len"], values["train_seq_len"])
    window = values["ttt_eval_seq_len"] or values["eval_seq_len"] or values["train_seq_len"]
    if window > longest:
        return "ttt_eval_seq_len is longer than eval_seq_len and train_seq_len"
    if values["ttt_chunk_size"] > window:
        return "ttt_chunk_size is more than a window of ttt_eval_seq_len tokens"
    return ""


technique = Technique(
    __name__,
    env_prefix="TTT",
    source="PR #77",
    switch="TTT_LORA_ENABLED",
    after=("sliding_window_eval",),
    ranks_matter="each process draws the adapters of its own documents",
    keeps={
        "C3": "a chunk is scored by adapters that have seen earlier chunks of its document only",
        "C4": "each target is in one chunk of one document",
        "1": "only scored chunks train",
        "14": "a document ends with the next one's BOS: no target is left out",
    },
    misfit=misfit,
    smoke={"TTT_CHUNK_SIZE": "32", "TTT_EVAL_SEQ_LEN": "64"},
    hyperparameters=(
        Hyperparameter("lora_rank", 8, "of each adapter", minimum=1),
        Hyperparameter("lora_lr", 0.01, "of Adam", minimum=0),
        Hyperparameter("chunk_size", 256, "scored, then trained on", "tokens", minimum=1),
        Hyperparameter("eval_seq_len", 0, "tokens of a window; 0: as in validation", minimum=0),
        Hyperparameter("batch_size", 64, "documents that run side by side", minimum=1),
    ),
)
