"""A script that the tests start does what it does started by hand, and nothing of it stays."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import run_script
from runs import Starter

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="processes are forked on Linux only"
)

SEES = """
import os, sys
print(__name__, __file__, sys.argv, sys.path[0], os.getcwd(), [n for n in globals() if n[0] != "_"])
print(sorted(os.environ.items()), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('no data')", 1),
        ("def f():\n    return [][1]\nf()", 1),
        ("torch.zeros(1)", 1),  # that the starter imported torch is no import of the script
        ("def f(:", 1),
        ("import atexit\natexit.register(print, 'last')", 0),
        ("print('a', end='')\nos._exit(4)", 4),
        ("import signal\nos.kill(os.getpid(), signal.SIGTERM)", -15),
        (
            "import base64 as b,lzma as l\n"
            "exec(l.decompress(l.compress(b'print(__file__)\\n1/0')))",
            1,
        ),
    ],
)
def test_it_is_the_process_that_python_would_start(ends, code, tmp_path):
    forked = run_script(SEES + ends, tmp_path, _="")
    started = run_script(SEES + ends, tmp_path, as_users_do=True, _="")
    assert forked == started
    assert forked.exit_code == code


def test_it_has_one_thread_until_it_computes(tmp_path):
    ran = run_script("import os, torch\nprint(len(os.listdir('/proc/self/task')))", tmp_path)
    assert ran.stdout == "1\n"


# starts a child as a script of its own might, and never ends
STAYS = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open("pids.new", "w") as file:
    print(os.getpid(), child.pid, file=file)
os.rename("pids.new", "pids")
time.sleep(600)
"""


@pytest.fixture
def stays(tmp_path):
    path = tmp_path / "stays.py"
    path.write_text(STAYS)
    yield path
    for pid in map(int, pids(path)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pids(path: Path) -> list[str]:
    told = path.with_name("pids")
    return told.read_text().split() if told.exists() else []


def within(seconds: float, true) -> bool:
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return bool(true())


def ended(pid: str) -> bool:
    """A process that is gone, or that only waits for its parent to ask how it ended."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_one_that_takes_too_long_is_ended_with_all_it_started(stays):
    starter = Starter()
    with pytest.raises(subprocess.TimeoutExpired):
        starter.run(stays, dict(os.environ), timeout=5)
    assert len(pids(stays)) == 2 and within(10, lambda: all(map(ended, pids(stays))))
    stays.write_text("print('the next')")
    assert starter.run(stays, dict(os.environ), timeout=60).stdout == "the next\n"
    starter.stop()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_when_the_tests_are_ended(how, stays):
    asks = (
        "import os, pathlib, runs, sys\nstarter = runs.Starter()\n"
        "print(starter.process.pid, flush=True)\n"
        "starter.run(pathlib.Path(sys.argv[1]), dict(os.environ), timeout=600)\n"
    )
    command = [sys.executable, "-c", asks, str(stays)]
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as asker:
        starter = asker.stdout.readline().strip()
        assert within(30, lambda: pids(stays))
        asker.send_signal(how)
        asker.wait(30)
    assert within(10, lambda: all(map(ended, [starter, *pids(stays)])))
