"""`python .../standins/__main__.py JSON`: what to run, and where to tell of it."""

import json
import os
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[2])

from pgolf_compose.standins.child import main  # noqa: E402

if __name__ == "__main__":
    # threads of gloo may outlive the interpreter
    os._exit(main(json.loads(sys.argv[1])))
