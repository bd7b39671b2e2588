"""Figures and paths as people read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def format_value(value: Any) -> str:
    """Formats a number as people read it, 4,800 and 0.7912, and returns anything else as its text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def short_path(path: Path) -> Path:
    """Returns the path relative to the working directory if it is below it, else as it is."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
