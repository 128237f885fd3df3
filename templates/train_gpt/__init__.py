"""Train a small language model on FineWeb within the limits of Parameter Golf, and score it."""

import math
from collections.abc import Mapping

from pgolf_compose import Host, Hyperparameter, grouped


def artifact_bytes(shapes: dict, settings: dict) -> tuple[int, int]:
    """Payload times what zlib left of it in the public logs of this quantiser."""
    least = most = 0
    for shape in shapes.values():
        if math.prod(shape) > settings["int8_keep_float_max_numel"]:
            payload = math.prod(shape) + 2 * (shape[0] if len(shape) == 2 else 1)
            least, most = least + payload, most + payload
        else:  # float16, or float32 where it is neither matrix nor embedding
            least, most = least + 2 * math.prod(shape), most + 4 * math.prod(shape)
    return int(0.91 * least), int(0.923 * most)


def misfit(values: Mapping) -> str:
    """What keeps these values from running together; empty where nothing does."""
    if values["model_dim"] % (2 * values["num_heads"]):
        return "model_dim is no even multiple of num_heads"
    if values["num_heads"] % values["num_kv_heads"]:
        return "num_heads is no multiple of num_kv_heads"
    if not values["mlp_hidden"] and int(values["mlp_mult"] * values["model_dim"]) < 1:
        return "mlp_mult leaves the MLP no hidden unit"
    if values["train_batch_tokens"] % (8 * values["train_seq_len"]):
        return "train_batch_tokens is no multiple of 8 x train_seq_len"
    return ""


host = Host(
    __name__,
    env_prefix="",
    usage=(
        "torchrun --standalone --nproc_per_node=8 {script}    # 8 GPUs, or 4, 2",
        "python {script}                                      # one GPU, or a CPU",
    ),
    artifact_bytes=artifact_bytes,
    misfit=misfit,
    smoke={
        "MODEL_DIM": "64",
        "NUM_HEADS": "4",
        "NUM_KV_HEADS": "2",
        "TRAIN_SEQ_LEN": "64",
        "TRAIN_BATCH_TOKENS": "1024",
        "VAL_BATCH_SIZE": "16384",
        "ITERATIONS": "6",
        "WARMUP_STEPS": "1",
        "WARMDOWN_ITERS": "3",
        "MAX_WALLCLOCK_SECONDS": "0",
        "TRAIN_LOG_EVERY": "1",
        "INT8_KEEP_FLOAT_MAX_NUMEL": "4096",
    },
    hyperparameters=(
        *grouped(
            "data",
            Hyperparameter("data_dir", "./data", "holds datasets/ and tokenizers/"),
            Hyperparameter("vocab_size", 1024, "pieces of the tokenizer", minimum=2, maximum=65536),
            Hyperparameter(
                "data_path",
                "{data_dir}/datasets/fineweb10B_sp{vocab_size}",
                "holds fineweb_train_*.bin and fineweb_val_*.bin",
            ),
            Hyperparameter(
                "tokenizer_path",
                "{data_dir}/tokenizers/fineweb_{vocab_size}_bpe.model",
                "SentencePiece model: tells bytes per token",
            ),
        ),
        *grouped(
            "model",
            Hyperparameter("num_layers", 9, "transformer blocks", minimum=1, maximum=256),
            Hyperparameter("model_dim", 512, "width of the stream", minimum=2, maximum=16384),
            Hyperparameter("num_heads", 8, "query heads", minimum=1, maximum=1024),
            Hyperparameter("num_kv_heads", 4, "key and value heads", minimum=1, maximum=1024),
            Hyperparameter(
                "mlp_mult", 2.0, "hidden width over model_dim", minimum=0.01, maximum=64
            ),
            Hyperparameter("mlp_hidden", 0, "hidden units; 0: as mlp_mult says", minimum=0),
            Hyperparameter("tie_embeddings", True, "one matrix embeds and predicts"),
            Hyperparameter(
                "tied_embed_init_std", 0.005, "spread of a tied embedding at init", minimum=0
            ),
            Hyperparameter("qk_gain_init", 1.5, "scale of the normalised queries"),
            Hyperparameter("rope_base", 10000.0, "longest wavelength / 2 pi", minimum=1),
            Hyperparameter(
                "rope_bf16_tables", False, "quirk of public scripts: positions rounded to bfloat16"
            ),
            Hyperparameter("logit_softcap", 30.0, "bound of the logits", minimum=1e-6),
        ),
        *grouped(
            "training",
            Hyperparameter("iterations", 20000, "steps at most", minimum=0),
            Hyperparameter("max_wallclock_seconds", 600.0, "of training; 0: no cap", minimum=0),
            Hyperparameter("warmup_steps", 20, "steps undone before the clock", minimum=0),
            Hyperparameter("warmdown_iters", 1200, "steps over which rates fall to 0", minimum=0),
            Hyperparameter("train_batch_tokens", 524288, "tokens of a step", minimum=1),
            Hyperparameter("train_seq_len", 1024, "tokens of a sequence", minimum=1),
            Hyperparameter("grad_clip_norm", 0.0, "of all gradients; 0: no clip", minimum=0),
            Hyperparameter("seed", 1337, "of initialisation", minimum=0, maximum=2**32 - 1),
        ),
        *grouped(
            "optimizers",
            Hyperparameter("tied_embed_lr", 0.05, "of a tied embedding", minimum=0),
            Hyperparameter("embed_lr", 0.6, "of an untied embedding", minimum=0),
            Hyperparameter("head_lr", 0.008, "of an untied head", minimum=0),
            Hyperparameter("matrix_lr", 0.04, "of matrices, under Muon", minimum=0),
            Hyperparameter("scalar_lr", 0.04, "of all other parameters", minimum=0),
            Hyperparameter("muon_momentum", 0.95, "after its warm-up", minimum=0, maximum=1),
            Hyperparameter("muon_momentum_warmup_start", 0.85, "at step 0", minimum=0, maximum=1),
            Hyperparameter("muon_momentum_warmup_steps", 500, "from one to the other", minimum=0),
            Hyperparameter("muon_backend_steps", 5, "Newton-Schulz iterations", minimum=0),
            Hyperparameter("beta1", 0.9, "of Adam", minimum=0, maximum=0.99999),
            Hyperparameter("beta2", 0.95, "of Adam", minimum=0, maximum=0.99999),
            Hyperparameter("adam_eps", 1e-8, "of Adam", minimum=0),
        ),
        *grouped(
            "validation and log",
            Hyperparameter(
                "val_batch_size",
                524288,
                "tokens of a validation step",
                minimum=1,
                env="VAL_BATCH_SIZE VAL_BATCH_TOKENS",
            ),
            Hyperparameter(
                "eval_seq_len", 0, "tokens of a validation sequence; 0: as in training", minimum=0
            ),
            Hyperparameter("val_loss_every", 1000, "steps; 0: only at the end", minimum=0),
            Hyperparameter("train_log_every", 200, "steps; 0: never", minimum=0),
            Hyperparameter("run_id", "", "names the log; empty: the time of the start"),
        ),
        *grouped(
            "quantisation",
            Hyperparameter(
                "int8_clip_percentile",
                99.99984,
                "of a row's magnitudes, where int8 clips",
                minimum=0,
                maximum=100,
            ),
            Hyperparameter(
                "int8_keep_float_max_numel", 65536, "tensors up to this size stay floats", minimum=0
            ),
            Hyperparameter(
                "quant_scale_floor",
                False,
                "quirk of public scripts: no row's step is below one unit / 127",
            ),
            Hyperparameter(
                "quant_unrounded_scale",
                False,
                "quirk of public scripts: rounds with the scale before it is stored as float16",
            ),
        ),
        *grouped(
            "machine",
            Hyperparameter(
                "precision",
                "bf16",
                "fp32: everything in float32, for comparisons",
                choices=("bf16", "fp32"),
            ),
            Hyperparameter("torch_compile", "auto", "auto: on CUDA", choices=("auto", "0", "1")),
        ),
    ),
)
