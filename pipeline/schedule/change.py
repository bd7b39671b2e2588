"""When the images have changed, and have been left alone since."""

from __future__ import annotations

from collections.abc import Callable


class ChangeWatch:
    """Watches a fingerprint. Photos that are still being copied change it again and again."""

    def __init__(self, fingerprint: Callable[[], str | None], still_seconds: float) -> None:
        self._fingerprint = fingerprint
        self._still_seconds = still_seconds
        self._known = self._seen = fingerprint()
        self._seen_since = 0.0

    def settled(self, now: float) -> bool:
        """Whether there is something new that has not changed for `still_seconds`; says so once."""
        current = self._fingerprint()
        if current != self._seen:
            self._seen, self._seen_since = current, now
        if current is None or current == self._known or now - self._seen_since < self._still_seconds:
            return False
        self._known = current
        return True
