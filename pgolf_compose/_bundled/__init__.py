"""The folders that pgolf-compose brings along: plugins/, templates/ and recipes/.

In a wheel they lie in this package; in a checkout at its root.
"""

from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE if (HERE / "templates").is_dir() else HERE.parents[1]
