"""The name that `logs.source` had."""

from pgolf_compose.logs.source import Source

__all__ = ["Source"]
