"""When the images have changed, and have been left alone since."""

from __future__ import annotations

from collections.abc import Callable


class ChangeWatch:
    """Watches a fingerprint. Photos that are still being copied change it again and again.

    What was there before it began to watch is new: it may have come while nobody did. So is a source that is not there
    (fingerprint None) until the first run has ended well: it may be for the run to download.
    """

    def __init__(self, fingerprint: Callable[[], str | None], still_seconds: float) -> None:
        self._fingerprint = fingerprint
        self._still_seconds = still_seconds
        self._handled: str | None = None
        self._seen: str | None = None
        self._seen_since: float | None = None

    def settled(self, now: float) -> bool:
        """Whether there is something new, not handled yet, that has not changed for `still_seconds`."""
        current = self._fingerprint()
        if self._seen_since is None or current != self._seen:
            self._seen, self._seen_since = current, now
        is_new = self._handled is None if current is None else current != self._handled
        return is_new and now - self._seen_since >= self._still_seconds

    def handled(self) -> None:
        """What was seen last is not new any more."""
        self._handled = self._seen or ""
