# -----------------------------------------------------------------------------
# Log


def log(h: Hyperparameters, message: str, console: bool = True) -> None:
    """One line to the log file and, unless `console` is off, to standard output; rank 0 only."""
    if h.rank != 0:
        return
    if console:
        print(message, flush=True)
    with h.log_path.open("a", encoding="utf-8") as file:
        print(message, file=file)


VALUES = "environment"  # where they come from; the small file says "frozen"


def log_run(h: Hyperparameters) -> None:
    """What is about to run: this file, the versions under it, every value."""
    if h.rank == 0:
        h.log_path.parent.mkdir(parents=True, exist_ok=True)
    log(h, Path(__file__).read_text(encoding="utf-8"), console=False)
    log(h, "=" * 100, console=False)
    versions = f"python:{sys.version.split()[0]} torch:{torch.__version__}"
    log(h, f"{versions} device:{h.device} values:{VALUES}")
    for name, value in type(h).__dict__.items():
        if not name.startswith("_"):
            log(h, f"{name}:{value}", console=False)
