def env(names, default, least=None, most=None, choices=(), settled=False):
    """The environment's value, as the type of `default`; `default` where it is not set."""
    name = next((one for one in names.split() if one in os.environ), None)
    value = default if name is None else type(default)(os.environ[name])
    if (least is not None and value < least) or (most is not None and value > most):
        print(f"{Path(__file__).name}: {name}={value} is out of range", file=sys.stderr)
        sys.exit(2)
    return value


class Hyperparameters:
    """Every value of a run."""

    # @slot hyperparameters

    log_path = Path("logs", f"{run_id}.txt")
