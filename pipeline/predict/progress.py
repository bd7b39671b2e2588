"""The lines that tell how far a bulk prediction is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import TextIO

from pipeline.predict.rows_folder import RowsFolder

_LIVE_SECONDS, _PLAIN_SECONDS = 1.0, 15.0  # between two lines, in a terminal and in a log
_MOST_OF_THE_TIME = 0.02  # for looking at what is done: of a million photos, there are thousands of files


def count(plan: Mapping[str, int], digests: Iterable[str]) -> int:
    """Returns the number of photos of some shards of a plan, which holds that of each one."""
    return sum(plan[digest] for digest in digests)


class Progress:
    """Prints lines that are rewritten each second in a terminal, one in fifteen seconds elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._is_live = out, out.isatty()
        self._listed, self._shown = 0, time.monotonic()
        self._began: float | None = None
        self._looked_seconds = 0.0

    def listed(self, photos: int) -> None:
        """Counts photos that were listed."""
        self._listed += photos
        if self._is_due():
            self._print(f"listed {self._listed:,} photos")

    def show(self, plan: Mapping[str, int], rows: RowsFolder, before: set[str]) -> None:
        """Shows how many photos of the plan have rows, beside those that had them before."""
        self._began = self._began or time.monotonic()
        if not self._is_due():
            return
        looked = time.monotonic()
        with contextlib.suppress(OSError):  # a storage that does not answer now
            done = count(plan, rows.done() & plan.keys())
            self._looked_seconds = time.monotonic() - looked
            rate = (done - count(plan, before)) / max(time.monotonic() - self._began, 1e-9)
            speed = f", {rate:.1f} a second" if rate else ""
            self._print(f"predicted {done:,} of {sum(plan.values()):,} photos{speed}")

    def line(self, text: str) -> None:
        """Prints a line that stays."""
        self.clear()
        print(text, file=self._out, flush=True)

    def clear(self) -> None:
        """Removes the line that does not stay."""
        if self._is_live:
            print("\r\x1b[K", end="", file=self._out, flush=True)

    def _is_due(self) -> bool:
        pause = max(_LIVE_SECONDS if self._is_live else _PLAIN_SECONDS, self._looked_seconds / _MOST_OF_THE_TIME)
        return time.monotonic() - self._shown >= pause

    def _print(self, text: str) -> None:
        self._shown = time.monotonic()
        if self._is_live:
            print(f"\r\x1b[K{text}", end="", file=self._out, flush=True)
        else:
            self.line(text)
