"""The requests that a kind of object storage must answer: what `s3_requests` and `gs_requests` have in common.

`components.object_storage` alone makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

CHUNK_BYTES = 8 << 20
CLASH_SECONDS = 20.0  # in which whoever writes the same object is done


class ObjectChangedError(OSError):
    """An object is no longer what a listing said of it."""


class StorageRequests(Protocol):
    """A module with these functions. Each raises OSError if the storage cannot be reached or refuses.

    A stamp is a number of nanoseconds since 1970 that changes whenever an object is written.
    """

    def list_objects(self, bucket: str, prefix: str) -> Iterator[tuple[str, int, int]]:
        """Yields name, bytes and stamp of all objects whose names begin so, sorted by name; only a page is in memory.

        A bucket that is not there has none, nor do the objects that stand for folders count.
        """

    def download(self, bucket: str, key: str, size: int, stamp: int, target: Path) -> None:
        """Writes an object to a file, as `list_objects` has listed it.

        Raises ObjectChangedError if it was replaced or removed since: what is said of it comes with its bytes.
        """

    def read_object(self, bucket: str, key: str) -> bytes | None:
        """Returns an object's bytes; None if there is no such object or bucket."""

    def write_object(self, bucket: str, key: str, data: bytes) -> None:
        """Writes an object, and replaces one that is already there."""

    def create_object(self, bucket: str, key: str, data: bytes) -> bool:
        """Writes an object unless one is there; returns whether what is there then has these bytes."""

    def change_object(self, bucket: str, key: str, change: Callable[[bytes], bytes]) -> bool:
        """Replaces an object's bytes, unless that changes nothing; returns False if somebody else wrote meanwhile."""

    def upload_object(self, bucket: str, key: str, source: Path) -> None:
        """Writes an object from a file, a large one in parts."""

    def object_state(self, bucket: str, key: str) -> tuple[int, int]:
        """Returns the size and the stamp of an object; zeros if there is none."""

    def has_bucket(self, bucket: str) -> bool:
        """Returns whether there is a bucket of this name; one that is somebody else's counts."""

    def seconds_now(self, bucket: str) -> float:
        """Returns the time of the storage's clock, in seconds since 1970, rounded up."""

    def remove_objects(self, bucket: str, keys: Sequence[str]) -> None:
        """Removes objects, in no order; those that are not there do not matter."""
