# -----------------------------------------------------------------------------
# Main


def start(h: Hyperparameters) -> None:
    """Seeds, numerics and the process group; refuses what could not run."""
    if 8 % h.world_size:
        stop(f"{h.world_size} processes cannot share 8 micro-batches evenly: use 1, 2, 4 or 8")
    sequences, rest = divmod(h.train_batch_tokens, 8 * h.train_seq_len)
    if rest or not sequences:
        stop(f"TRAIN_BATCH_TOKENS={h.train_batch_tokens} is not a multiple of 8 x TRAIN_SEQ_LEN")
    if h.model_dim % (2 * h.num_heads) or h.num_heads % h.num_kv_heads:
        stop("MODEL_DIM must be an even multiple of NUM_HEADS, NUM_HEADS one of NUM_KV_HEADS")
    random.seed(h.seed)
    np.random.seed(h.seed)
    torch.manual_seed(h.seed)
    if h.device.type == "cuda":
        torch.cuda.set_device(h.device)
        torch.backends.cuda.matmul.allow_tf32 = h.precision != "fp32"
        if h.precision == "bf16":
            # the flash kernel or an error: the others are slower without a word
            torch.backends.cuda.enable_cudnn_sdp(False)
            torch.backends.cuda.enable_mem_efficient_sdp(False)
            torch.backends.cuda.enable_math_sdp(False)
    if h.world_size > 1:
        dist.init_process_group("nccl" if h.device.type == "cuda" else "gloo")


def finish(h: Hyperparameters) -> None:
    """Leave together: no process is to be stopped while another still writes."""
    if h.world_size > 1:
        dist.barrier()
        dist.destroy_process_group()
        if h.device.type == "cpu":
            # a thread of gloo may outlive the interpreter, and abort the process as it ends
            sys.stdout.flush()
            os._exit(0)


def main() -> None:
    h = Hyperparameters()
    start(h)
    log_run(h)
    # @scope h, before data and model exist
    # @slot main.setup
    validation = Validation(h)
    model = make_model(h)
    log(h, f"model_params:{sum(p.numel() for p in model.parameters())}")
    log(h, f"world_size:{h.world_size} grad_accum_steps:{h.grad_accum_steps}")
    log(
        h,
        f"tie_embeddings:{h.tie_embeddings} "
        f"embed_lr:{h.tied_embed_lr if h.tie_embeddings else h.embed_lr} "
        f"head_lr:{0.0 if h.tie_embeddings else h.head_lr} "
        f"matrix_lr:{h.matrix_lr} scalar_lr:{h.scalar_lr}",
    )
    log(
        h,
        f"train_batch_tokens:{h.train_batch_tokens} train_seq_len:{h.train_seq_len} "
        f"iterations:{h.iterations} warmup_steps:{h.warmup_steps} "
        f"max_wallclock_seconds:{h.max_wallclock_seconds:.3f}",
    )
    log(h, f"seed:{h.seed}")
    forward = compiled(h, model)
    train(h, model, forward, validation)
    path = write_artifact(h, model)
    read_artifact(h, model, path)
    evaluate_stages(h, model, forward, validation)
    # @scope h, model, validation: everything has been logged
    # @slot main.finish
    finish(h)


if __name__ == "__main__":
    main()
