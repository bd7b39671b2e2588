"""When the images have changed, and have been left alone since."""

from __future__ import annotations

from collections.abc import Callable


class ChangeWatch:
    """Watches a fingerprint. Photos that are still being copied change it again and again.

    What was there before it began to watch is new: it may have come while nobody did.
    """

    def __init__(self, fingerprint: Callable[[], str | None], still_seconds: float) -> None:
        self._fingerprint = fingerprint
        self._still_seconds = still_seconds
        self._handled: str | None = None
        self._seen: str | None = None
        self._seen_since = 0.0

    def settled(self, now: float) -> bool:
        """Whether there is something new, not handled yet, that has not changed for `still_seconds`."""
        current = self._fingerprint()
        if current != self._seen:
            self._seen, self._seen_since = current, now
        return current not in (None, self._handled) and now - self._seen_since >= self._still_seconds

    def handled(self) -> None:
        """What was seen last is not new any more."""
        self._handled = self._seen
