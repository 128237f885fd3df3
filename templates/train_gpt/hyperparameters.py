# -----------------------------------------------------------------------------
# Hyperparameters


def stop(message: str) -> None:
    """End the run with one line and exit code 2: what to change stands outside this file."""
    print(f"{Path(__file__).name}: {message}", file=sys.stderr, flush=True)
    sys.exit(2)


def env(names: str, default, least=None, most=None, choices=(), settled=False):
    """The environment's value, read as the type of `default`; `default` where it is not set.

    Of several `names`, with spaces between, the first that is set counts. A `settled` value was
    decided when this file was composed: it can be confirmed, not changed.
    """
    name = next((one for one in names.split() if one in os.environ), None)
    if name is None:
        return default
    text = os.environ[name]
    try:
        if isinstance(default, bool):
            value = {"0": False, "1": True, "false": False, "true": True}[text.lower()]
        elif isinstance(default, tuple):
            value = tuple(int(item) for item in text.split(",") if item)
        else:
            value = type(default)(text)
    except (KeyError, ValueError):
        stop(f"{name}={text} does not read as {type(default).__name__}; unset, it is {default}")
    if choices and value not in choices:
        stop(f"{name}={text} is none of {', '.join(choices)}")
    for item in value if isinstance(value, tuple) else (value,):
        # written so that nan, which compares to nothing, is refused as well
        if (
            item != item
            or not (least is None or item >= least)
            or not (most is None or item <= most)
        ):
            stop(f"{name}={text} is out of range: {least} to {most}")
    if settled and value != default:
        stop(f"{name}={text}, but this file was composed with {default}: recompose it")
    return value


class Hyperparameters:
    """Every value of a run; the environment overrides each under its name in capitals."""

    # @scope the class body: names assigned above can be read
    # @slot hyperparameters

    if not eval_seq_len:
        eval_seq_len = train_seq_len

    # this process among its peers, as torchrun sets them
    rank = env("RANK", 0)
    local_rank = env("LOCAL_RANK", 0)
    world_size = env("WORLD_SIZE", 1, least=1)
    # a step is 8 micro-batches however many processes share them: all see the same data
    grad_accum_steps = 8 // world_size
    device = torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")
    log_path = Path("logs", f"{run_id or time.strftime('%Y-%m-%d_%H.%M.%S')}.txt")
