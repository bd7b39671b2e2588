"""Formats numbers and paths for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def format_value(value: Any) -> str:
    """Returns a number as `4,800` or `0.7912`, a list or tuple with commas between its items, and the rest as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def short_path(path: Path) -> Path:
    """Returns the path relative to the working directory if it is below it, and unchanged otherwise."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
