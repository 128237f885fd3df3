"""How a running script is shown: a bar in a terminal, sparse lines in a pipe."""

import time
from collections.abc import Callable

from pgolf_compose.launch import CAP, Progress, read_progress

__all__ = ["Bar", "Lines"]


class Lines:
    """Every line that tells something new; of the steps, one in five seconds and the last."""

    def __init__(self, echo: Callable[[str], None], every: float = 5.0):
        self.echo, self.every = echo, every
        self.last = 0.0

    def __enter__(self) -> Callable[[str], None]:
        return self.show

    def __exit__(self, *exception) -> None:
        pass

    def show(self, line: str) -> None:
        progress = read_progress(line)
        if progress and progress.kind == "train" and progress.step < progress.steps:
            if time.monotonic() - self.last < self.every:
                return
            self.last = time.monotonic()
        if not line.startswith("warmup_step:"):
            self.echo(line)


class Bar:
    """A rich progress bar: by steps, or by the clock where that ends the run first."""

    def __enter__(self) -> Callable[[str], None]:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        self.bar = Progress(*columns, transient=True)
        self.task = self.bar.add_task("starting", total=1.0)
        self.cap = 0.0
        self.bar.start()
        return self.show

    def __exit__(self, *exception) -> None:
        self.bar.stop()

    def show(self, line: str) -> None:
        if found := CAP.search(line):
            self.cap = float(found["seconds"])
        if progress := read_progress(line):
            done = self.done(progress)
            text = f"step {progress.step} {progress.kind} loss {progress.loss:.4f}"
            self.bar.update(self.task, completed=done, description=text)
            if progress.kind == "train" and done < 1:
                return
        if not line.startswith("warmup_step:"):
            self.bar.console.print(line, highlight=False, markup=False)

    def done(self, progress: Progress) -> float:
        by_steps = progress.step / max(progress.steps, 1)
        return max(by_steps, progress.seconds / self.cap if self.cap else 0.0)
