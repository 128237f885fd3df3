"""Train a model of English bytes by counting, and score what its small file still knows."""

from pgolf_compose import Host, Hyperparameter, grouped

host = Host(
    __name__,
    env_prefix="",
    template="byte_lm.py",
    packages=(),
    model="",
    usage=("DATA_DIR=data python {script}",),
    keep=("STEPS",),
    writes=("model.bin", "logs/*.txt"),
    hyperparameters=(
        *grouped(
            "data",
            Hyperparameter("data_dir", "data", "holds the folder of texts"),
            Hyperparameter("text", "prose", "a folder with train.txt and val.txt"),
        ),
        *grouped(
            "model",
            Hyperparameter("order", 3, "bytes of context", minimum=0, maximum=8),
            Hyperparameter("pull", 4.0, "towards shorter contexts", minimum=0.01, maximum=1000),
            Hyperparameter("least", 2, "a context seen less is forgotten", minimum=1),
        ),
        *grouped(
            "run",
            Hyperparameter("seed", 42, "of the order of chunks", minimum=0),
            Hyperparameter("run_id", "run", "names the log"),
            Hyperparameter("steps", 40, "chunks to count", minimum=1),
            Hyperparameter("chunk", 4096, "of a step", unit="bytes", minimum=1),
            Hyperparameter("max_wallclock_seconds", 60.0, "of counting; 0: no limit", minimum=0),
        ),
    ),
)
