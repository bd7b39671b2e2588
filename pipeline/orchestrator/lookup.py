"""What travels along a component's part of the graph: the result of its look-up, and which attempt it is."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.store.manifest import Identity, Manifest


class Lookup(NamedTuple):
    """The result of a look-up: a manifest, or an attempt to make one."""

    manifest: Manifest | None
    identity: Identity
    attempt: str | None  # the name of its folder
    started: float  # seconds since 1970
    note: str = ""  # such as "attempt 2 of 3"


class Retry(NamedTuple):
    """An attempt after the first, at the shards of a scan."""

    number: int  # from 2 on
    most: int
    started: float  # when the first attempt began, in seconds since 1970: a time limit is for all of them

    @property
    def note(self) -> str:
        """The attempt in words: `attempt 2 of 3`."""
        return f"attempt {self.number} of {self.most}"
