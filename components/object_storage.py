"""Reads and writes files on object storage, s3:// or gs://. No other module knows how they are reached.

A module for each kind makes the requests, by the provider's own client: PyArrow takes two requests to read a small
object and three to write one, and has no conditional writes. Beam's `FileSystems` makes a client for every file, which
takes 0.2 s of CPU time: too slow for a folder of photos. An object appears whole or not at all; nothing is renamed.
"""

from __future__ import annotations

import argparse
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from components import gs_requests, s3_requests
from components.storage_requests import CLASH_SECONDS, StorageRequests
from components.thread_map import map_in_order

_REQUESTS: dict[str, StorageRequests] = {"s3": s3_requests, "gs": gs_requests}
_THREADS = 8
_UNTOLD = "\ufffd"  # of servers whose listings have control characters of names replaced
_LONGEST_NAME_BYTES = 255  # of one file, on the disks in use
# Beam's options, and the environment variables from which AWS libraries and PyArrow take the same values.
_VARIABLES = {
    "s3_endpoint_url": "AWS_ENDPOINT_URL",
    "s3_access_key_id": "AWS_ACCESS_KEY_ID",
    "s3_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "s3_session_token": "AWS_SESSION_TOKEN",
    "s3_region_name": "AWS_DEFAULT_REGION",
}

Item = TypeVar("Item")


class RemoteFile(NamedTuple):
    """One object: its name, size in bytes, and time of modification."""

    name: str  # relative to the folder that was listed
    size: int
    modified_ns: int  # since 1970: a stamp, see `components.storage_requests`


def is_remote(place: str) -> bool:
    """Returns whether `place` is s3://... or gs://..."""
    return place.partition("://")[0] in _REQUESTS and "://" in place


def no_file_reason(name: str) -> str | None:
    """Returns why no file below a folder can have the name of an object; None if one can."""
    parts = name.split("/")
    if "" in parts or "\0" in name:
        return "an empty part in its name" if "" in parts else "a zero byte in its name"
    if _UNTOLD in name:
        return "a character in its name that the server does not tell"
    if "." in parts or ".." in parts:
        return "a dot for a folder in its name"
    too_long = any(len(part.encode()) > _LONGEST_NAME_BYTES for part in parts)
    return f"a name of more than {_LONGEST_NAME_BYTES} bytes" if too_long else None


def configure(beam_args: Sequence[str]) -> list[str]:
    """Sets the endpoint and the credentials that Beam's own options name, for this process and those that it starts.

    Returns the other arguments.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in _VARIABLES:
        parser.add_argument(f"--{option}")
    given, others = parser.parse_known_args(list(beam_args))
    os.environ.update({_VARIABLES[name]: value for name, value in vars(given).items() if value})
    return others


@dataclass(frozen=True)
class RemoteFolder:
    """All objects whose names begin alike. Every method raises OSError if the storage cannot be reached."""

    url: str  # "s3://bucket/prefix"

    def folder(self, name: str) -> RemoteFolder:
        """Returns the folder `name` below this one."""
        return RemoteFolder(f"{self.url.rstrip('/')}/{name}")

    def files(self, below: str = "") -> list[RemoteFile]:
        """Returns all objects below, sorted by their names in this folder. A missing folder has none."""
        return list(self.iter_files(below))

    def iter_files(self, below: str = "") -> Iterator[RemoteFile]:
        """Yields what `files` returns; only a page of the listing is in memory."""
        bucket, key = self._key(below)
        prefix = f"{key}/" if key else ""
        for name, size, stamp in self._requests.list_objects(bucket, prefix):
            yield RemoteFile(f"{below}/{name[len(prefix) :]}" if below else name[len(prefix) :], size, stamp)

    def read(self, name: str) -> bytes | None:
        """Returns the bytes of an object; None if there is no such object."""
        return self._requests.read_object(*self._key(name))

    def write(self, name: str, data: bytes) -> None:
        """Writes an object, and replaces one that is already there."""
        self._requests.write_object(*self._key(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """Writes an object unless one is there; returns whether what is there then has these bytes.

        Of several machines at once, one succeeds.
        """
        return self._requests.create_object(*self._key(name), data)

    def update(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Replaces the bytes of an object by what `change` makes of them; of no object they are b"".

        It is called again if others write meanwhile.
        """
        last = time.monotonic() + CLASH_SECONDS
        while not self._requests.change_object(*self._key(name), change):
            if time.monotonic() > last:
                raise OSError(f"{self.url}/{name} cannot be changed: it is another one at each try")
            time.sleep(0.02)  # whoever was faster is done by now

    def state(self, name: str) -> tuple[int, int]:
        """Returns the size and the time of an object, which change when it does; zeros if there is none."""
        return self._requests.object_state(*self._key(name))

    def remove(self, below: str) -> None:
        """Removes all objects below; does nothing if there are none."""
        self.remove_files(file.name for file in self.files(below))

    def remove_files(self, names: Iterable[str]) -> None:
        """Removes objects, in no order. Those that are not there do not matter."""
        self._requests.remove_objects(self._key("")[0], [self._key(name)[1] for name in names])

    def remove_file(self, name: str) -> None:
        """Removes one object. Raises FileNotFoundError if there is none."""
        if self.state(name) == (0, 0):
            raise FileNotFoundError(f"{self.url}/{name} is not there")
        self.remove_files([name])

    def fetch(
        self, files: Iterable[RemoteFile], target: Path, done: Callable[[RemoteFile], None] = lambda file: None
    ) -> None:
        """Downloads files to `target`, each whole or not at all, with the modification time that the storage gives.

        Raises ObjectChangedError if one was replaced or removed since it was listed, and OSError for a name that no
        file can have.
        """

        def fetch(file: RemoteFile) -> None:
            if reason := no_file_reason(file.name):
                raise OSError(f"{self.url}/{file.name!r} cannot be copied to a disk: {reason}")
            path = target / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{uuid.uuid4().hex}")
            try:
                self._requests.download(*self._key(file.name), file.size, file.modified_ns, draft)
                os.utime(draft, ns=(file.modified_ns, file.modified_ns))
                os.replace(draft, path)
            finally:
                draft.unlink(missing_ok=True)
            done(file)

        _all(fetch, files)

    def upload(self, source: Path, names: Iterable[str]) -> None:
        """Copies the files called `names`, which are relative to `source` and to this folder alike."""

        def upload(name: str) -> None:
            self._requests.upload_object(*self._key(name), source / name)

        _all(upload, names)

    def require_existing_bucket(self) -> None:
        """Raises OSError if there is no such bucket; one that is somebody else's counts as there."""
        bucket, _ = self._key("")
        if not self._requests.has_bucket(bucket):
            raise OSError(f"there is no bucket {bucket}: make it, or check the name in the URL")

    @property
    def seconds_now(self) -> float:
        """The time of the storage's clock, in seconds since 1970: what was written to it has times of that clock."""
        return self._requests.seconds_now(self._key("")[0])

    @property
    def _requests(self) -> StorageRequests:
        return _REQUESTS[self.url.partition("://")[0]]

    def _key(self, name: str) -> tuple[str, str]:
        bucket, _, key = self._path(name).partition("/")
        return bucket, key

    def _path(self, name: str) -> str:
        place = self.url.partition("://")[2].rstrip("/")
        return f"{place}/{name}".rstrip("/")  # a name may begin with a slash


def _all(function: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Calls the function for all items, a few at a time. Raises the first error."""
    for _ in map_in_order(function, items, _THREADS):
        pass
