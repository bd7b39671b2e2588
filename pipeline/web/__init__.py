"""What the pages that a command serves on this machine share: how they are reached, by whom, and how they look."""

from __future__ import annotations

from pathlib import Path

SHARED_ASSETS = Path(__file__).parent / "assets"
