"""The pause after failed runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Backoff:
    """The pause after failures. It doubles with each failure in a row, up to a limit; a success resets it."""

    first_seconds: float
    longest_seconds: float
    failures: int = 0
    until: float = 0.0  # seconds since 1970; before then nothing runs

    def note(self, failed: bool, now: float) -> None:
        """Updates the pause after a run that ended at `now`, in seconds since 1970."""
        self.failures = self.failures + 1 if failed else 0
        wait = min(self.first_seconds * 2 ** min(self.failures - 1, 60), self.longest_seconds) if failed else 0.0
        self.until = now + wait
