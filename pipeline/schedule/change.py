"""Detects that the source of the images has changed and then stayed unchanged for a while."""

from __future__ import annotations

from collections.abc import Callable


class ChangeWatch:
    """The watch over a source's fingerprint, which changes repeatedly while photos are still being copied.

    A source that exists when the watch begins counts as new: it may have changed while nobody watched. A source that
    does not exist (fingerprint None) counts as new until a first run has ended well: the run may download it.
    """

    def __init__(self, fingerprint: Callable[[], str | None], still_seconds: float) -> None:
        self._fingerprint = fingerprint
        self._still_seconds = still_seconds
        self._handled: str | None = None
        self._seen: str | None = None
        self._seen_since: float | None = None

    def settled(self, now: float) -> bool:
        """Returns whether there is something new, not handled yet, that has not changed for `still_seconds`."""
        current = self._fingerprint()
        if self._seen_since is None or current != self._seen:
            self._seen, self._seen_since = current, now
        is_new = self._handled is None if current is None else current != self._handled
        return is_new and now - self._seen_since >= self._still_seconds

    def handled(self) -> None:
        """Marks what was seen last as no longer new."""
        self._handled = self._seen or ""
