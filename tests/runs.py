"""Start scripts from a process that has imported torch already, which takes longer than they run.

`Starter` starts that process, this file run as a program, and asks it for one run after another.
Each run is a process of its own, forked before anything was computed: the script is executed as
`__main__` in its own folder, environment and streams. Only what Python and torch read from the
environment as they start is the starter's.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path


class Starter:
    """A process that has imported `modules`; it ends with its asker, however that one ends."""

    def __init__(self, *modules: str):
        self.process = subprocess.Popen(
            [sys.executable, __file__, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the asker
        )

    def run(self, script: Path, env: dict, timeout: float) -> subprocess.CompletedProcess:
        """`python NAME` in the script's folder, as subprocess.run tells it."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            wanted = {
                "script": str(script),
                "env": env,
                "out": str(out),
                "err": str(err),
                "timeout": timeout,
            }
            try:
                print(json.dumps(wanted), file=self.process.stdin, flush=True)
                code = json.loads(self.process.stdout.readline())
            except BaseException:
                self.stop()
                raise
            command, streams = ["python", script.name], (out.read_text(), err.read_text())
        if code is None:
            raise subprocess.TimeoutExpired(command, timeout, *streams)
        return subprocess.CompletedProcess(command, code, *streams)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def serve() -> types.CodeType:
    """Answer each asking with an exit code; returns only in a fork, with what to execute there."""
    for module in sys.argv[1:]:
        importlib.import_module(module)
    gc.freeze()  # so that a fork's collections copy no page of these
    while line := sys.stdin.readline():
        wanted = json.loads(line)
        pid = os.fork()
        if pid == 0:
            return become(**wanted)
        code = ended(pid, wanted["timeout"])
        with contextlib.suppress(BrokenPipeError):  # the asker is gone
            os.write(1, f"{json.dumps(code)}\n".encode())
    raise SystemExit


def ended(pid: int, timeout: float) -> int | None:
    """The exit code of a run, None if it took too long; nothing that it started is left."""
    until = time.monotonic() + timeout
    while not (done := os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)):
        [asker_is_gone, *_] = select.select([sys.stdin], [], [], 0.01)
        if asker_is_gone or time.monotonic() > until:
            break
    for kill in os.killpg, os.kill:
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if done else None


def become(script: str, env: dict, out: str, err: str, timeout: float) -> types.CodeType:
    """Turn this process into one that Python has just started with the script."""
    os.setsid()
    path = Path(script)
    os.chdir(path.parent)
    os.environ.clear()
    os.environ.update(env)
    for stream, name in enumerate([os.devnull, out, err]):
        file = os.open(name, os.O_RDWR | os.O_CREAT)
        os.dup2(file, stream)
        os.close(file)
    sys.argv, sys.path[0] = [path.name], str(path.parent)
    sys.excepthook = tell_of_the_script
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__file__ = script
    return compile(path.read_bytes(), script, "exec", dont_inherit=True)


def tell_of_the_script(kind: type, error: BaseException, trace: types.TracebackType | None) -> None:
    """A traceback that begins with the script, as its own process would print it."""
    while trace and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


if __name__ == "__main__":
    exec(serve(), sys.modules["__main__"].__dict__)
