"""Reads and writes files on object storage, s3:// or gs://. No other module knows how they are reached.

PyArrow has a client for both, which is used here; `components.s3_requests` makes the requests that it lacks. Beam's
`FileSystems` makes a client for every file that it opens, which takes 0.2 s of CPU time each: too slow for a folder of
photos. An object appears whole or not at all; nothing is renamed.
"""

from __future__ import annotations

import argparse
import functools
import os
import posixpath
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from components.s3_requests import ATTEMPTS, CHUNK_BYTES, ObjectChangedError, change_object, download, list_objects
from components.thread_map import map_in_order

if TYPE_CHECKING:
    from pyarrow import fs

SCHEMES = ("s3", "gs")
_THREADS = 8
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
Result = TypeVar("Result")


class RemoteFile(NamedTuple):
    """One object: its name, size in bytes, and time of modification."""

    name: str  # relative to the folder that was listed
    size: int
    modified_ns: int  # since 1970; of S3 a stamp: see `s3_requests.list_objects`


def is_remote(place: str) -> bool:
    """Returns whether `place` is s3://... or gs://..."""
    return place.partition("://")[0] in SCHEMES and "://" in place


def no_file_reason(name: str) -> str | None:
    """Returns why no file below a folder can have the name of an object; None if one can."""
    parts = name.split("/")
    if "" in parts or "\0" in name:
        return "an empty part in its name" if "" in parts else "a zero byte in its name"
    if "." in parts or ".." in parts:
        return "a dot for a folder in its name"
    too_long = any(len(part.encode()) > _LONGEST_NAME_BYTES for part in parts)
    return f"a name of more than {_LONGEST_NAME_BYTES} bytes" if too_long else None


def configure(beam_args: Sequence[str]) -> None:
    """Sets the endpoint and the credentials that Beam's own options name, for this process and those that it starts."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in _VARIABLES:
        parser.add_argument(f"--{option}")
    given, _ = parser.parse_known_args(list(beam_args))
    os.environ.update({_VARIABLES[name]: value for name, value in vars(given).items() if value})


@dataclass(frozen=True)
class RemoteFolder:
    """All objects whose names begin alike. Every method raises OSError if the storage cannot be reached."""

    url: str  # "s3://bucket/prefix"

    def folder(self, name: str) -> RemoteFolder:
        """Returns the folder `name` below this one."""
        return RemoteFolder(f"{self.url.rstrip('/')}/{name}")

    def files(self, below: str = "") -> list[RemoteFile]:
        """Returns all objects below, sorted by name; names are relative to this folder. A missing folder has none."""
        return list(self.iter_files(below))

    def iter_files(self, below: str = "") -> Iterator[RemoteFile]:
        """Yields what `files` returns; of S3, only a page of the listing is in memory."""
        base = self._path(below)
        if self._is_s3:
            bucket, _, key = base.partition("/")
            prefix = f"{key}/" if key else ""
            for name, size, stamp in list_objects(bucket, prefix):
                yield RemoteFile(f"{below}/{name[len(prefix) :]}" if below else name[len(prefix) :], size, stamp)
            return
        from pyarrow import fs

        found = _client(self.url).get_file_info(fs.FileSelector(base, recursive=True, allow_not_found=True))
        yield from sorted(
            RemoteFile(posixpath.join(below, info.path[len(base) + 1 :]), info.size, info.mtime_ns)
            for info in found
            if info.type == fs.FileType.File
        )

    def read(self, name: str) -> bytes | None:
        """Returns the bytes of an object; None if there is no such object."""
        try:
            return _until_read(lambda: self._read(name))
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> bytes:
        with _client(self.url).open_input_stream(self._path(name)) as stream:
            return stream.read()

    def write(self, name: str, data: bytes) -> None:
        """Writes an object, and replaces one that is already there."""
        with _client(self.url).open_output_stream(self._path(name)) as stream:
            stream.write(data)

    def create(self, name: str, data: bytes) -> None:
        """Writes an object unless one is already there. If several machines do so at once, see `update`."""
        self.update(name, lambda there: there or data)

    def update(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Replaces the bytes of an object by what `change` makes of them; of no object they are b"".

        On S3 it is called again if others write meanwhile; elsewhere the last of two within a moment counts.
        """
        if not self._is_s3:
            if (changed := change(data := self.read(name) or b"")) != data:
                self.write(name, changed)
            return
        bucket, _, key = self._path(name).partition("/")
        while not change_object(bucket, key, change):
            time.sleep(0.02)  # whoever was faster is done by now

    def state(self, name: str) -> tuple[int, int]:
        """Returns the size and the time of an object, which change when it does; zeros if there is none."""
        info = _client(self.url).get_file_info(self._path(name))
        return (info.size or 0, info.mtime_ns or 0) if info.is_file else (0, 0)

    def remove(self, below: str) -> None:
        """Removes all objects below; does nothing if there are none."""
        for file in self.files(below):
            self.remove_file(file.name)

    def remove_file(self, name: str) -> None:
        """Removes one object. Raises FileNotFoundError if there is none."""
        _client(self.url).delete_file(self._path(name))

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
                self._copy(file, draft)
                os.utime(draft, ns=(file.modified_ns, file.modified_ns))
                os.replace(draft, path)
            finally:
                draft.unlink(missing_ok=True)
            done(file)

        _all(fetch, files)

    def _copy(self, file: RemoteFile, target: Path) -> None:
        if self._is_s3:
            bucket, _, key = self._path(file.name).partition("/")
            download(bucket, key, file.size, file.modified_ns, target)
            return
        with _client(self.url).open_input_stream(self._path(file.name)) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, CHUNK_BYTES)
        if (found := self.state(file.name)) != file[1:]:
            raise ObjectChangedError(f"{self.url}/{file.name} has changed since it was listed: {found} of {file[1:]}")

    def upload(self, source: Path, names: Iterable[str]) -> None:
        """Copies the files called `names`, which are relative to `source` and to this folder alike."""

        def upload(name: str) -> None:
            with (source / name).open("rb") as file, _client(self.url).open_output_stream(self._path(name)) as copy:
                shutil.copyfileobj(file, copy, CHUNK_BYTES)

        _all(upload, names)

    @property
    def _is_s3(self) -> bool:
        return self.url.startswith("s3://")

    def _path(self, name: str) -> str:
        return posixpath.join(self.url.partition("://")[2].rstrip("/"), name).rstrip("/")


def _all(function: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Calls the function for all items, a few at a time. Raises the first error."""
    for _ in map_in_order(function, items, _THREADS):
        pass


def _until_read(read: Callable[[], Result]) -> Result:
    """Repeats the read if PyArrow gives up: it cannot retry when the error's text is longer than the object."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return read()
        except OSError as error:
            if "INTERNAL_FAILURE" not in str(error):
                raise
            time.sleep(0.1 * 2**attempt)
    return read()


def _client(url: str) -> fs.FileSystem:
    return _make_client(url.partition("://")[0], os.environ.get("AWS_ENDPOINT_URL"))


@functools.lru_cache
def _make_client(scheme: str, endpoint: str | None) -> fs.FileSystem:
    """Returns one client for all threads of the process."""
    from pyarrow import fs

    if scheme == "gs":
        return fs.GcsFileSystem()
    # Only AWS itself needs the region.
    return fs.S3FileSystem(
        endpoint_override=endpoint,
        region=os.environ.get("AWS_DEFAULT_REGION"),
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        background_writes=False,
    )
