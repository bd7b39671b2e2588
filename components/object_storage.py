"""Reads and writes files on object storage, s3:// or gs://. No other module knows how they are reached.

`components.s3_requests` asks S3: PyArrow takes two requests to read a small object and three to write one. It asks
Google. Beam's `FileSystems` makes a client for every file, which takes 0.2 s of CPU time: too slow for a folder of
photos. An object appears whole or not at all; nothing is renamed.
"""

from __future__ import annotations

import argparse
import contextlib
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

from components import s3_requests as s3
from components.s3_requests import CHUNK_BYTES, ObjectChangedError
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
        """Returns all objects below, sorted by their names in this folder. A missing folder has none."""
        return list(self.iter_files(below))

    def iter_files(self, below: str = "") -> Iterator[RemoteFile]:
        """Yields what `files` returns; of S3, only a page of the listing is in memory."""
        base = self._path(below)
        if self._is_s3:
            bucket, key = self._key(below)
            prefix = f"{key}/" if key else ""
            for name, size, stamp in s3.list_objects(bucket, prefix):
                yield RemoteFile(f"{below}/{name[len(prefix) :]}" if below else name[len(prefix) :], size, stamp)
            return
        from pyarrow import fs

        found = _client().get_file_info(fs.FileSelector(base, recursive=True, allow_not_found=True))
        yield from sorted(
            RemoteFile(posixpath.join(below, info.path[len(base) + 1 :]), info.size, info.mtime_ns)
            for info in found
            if info.type == fs.FileType.File
        )

    def read(self, name: str) -> bytes | None:
        """Returns the bytes of an object; None if there is no such object."""
        if self._is_s3:
            return s3.read_object(*self._key(name))
        try:
            with _client().open_input_stream(self._path(name)) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Writes an object, and replaces one that is already there."""
        if self._is_s3:
            s3.write_object(*self._key(name), data)
            return
        with _client().open_output_stream(self._path(name)) as stream:
            stream.write(data)

    def create(self, name: str, data: bytes) -> bool:
        """Writes an object unless one is there; returns whether what is there then has these bytes.

        Of several machines at once, one succeeds on S3; elsewhere those of the last one within a moment count.
        """
        if self._is_s3:
            return s3.create_object(*self._key(name), data)
        self.update(name, lambda there: there or data)
        return self.read(name) == data

    def update(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Replaces the bytes of an object by what `change` makes of them; of no object they are b"".

        On S3 it is called again if others write meanwhile; elsewhere the last of two within a moment counts.
        """
        if not self._is_s3:
            if (changed := change(data := self.read(name) or b"")) != data:
                self.write(name, changed)
            return
        while not s3.change_object(*self._key(name), change):
            time.sleep(0.02)  # whoever was faster is done by now

    def state(self, name: str) -> tuple[int, int]:
        """Returns the size and the time of an object, which change when it does; zeros if there is none."""
        if self._is_s3:
            return s3.object_state(*self._key(name))
        info = _client().get_file_info(self._path(name))
        return (info.size or 0, info.mtime_ns or 0) if info.is_file else (0, 0)

    def remove(self, below: str) -> None:
        """Removes all objects below; does nothing if there are none."""
        self.remove_files(file.name for file in self.files(below))

    def remove_files(self, names: Iterable[str]) -> None:
        """Removes objects, in no order. Those that are not there do not matter."""
        if self._is_s3:
            s3.remove_objects(self._key("")[0], [self._key(name)[1] for name in names])
            return
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                _client().delete_file(self._path(name))

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
                self._copy(file, draft)
                os.utime(draft, ns=(file.modified_ns, file.modified_ns))
                os.replace(draft, path)
            finally:
                draft.unlink(missing_ok=True)
            done(file)

        _all(fetch, files)

    def _copy(self, file: RemoteFile, target: Path) -> None:
        if self._is_s3:
            s3.download(*self._key(file.name), file.size, file.modified_ns, target)
            return
        with _client().open_input_stream(self._path(file.name)) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, CHUNK_BYTES)
        if (found := self.state(file.name)) != file[1:]:
            raise ObjectChangedError(f"{self.url}/{file.name} has changed since it was listed: {found} of {file[1:]}")

    def upload(self, source: Path, names: Iterable[str]) -> None:
        """Copies the files called `names`, which are relative to `source` and to this folder alike."""

        def upload(name: str) -> None:
            if self._is_s3:
                s3.upload_object(*self._key(name), source / name)
                return
            with (source / name).open("rb") as file, _client().open_output_stream(self._path(name)) as copy:
                shutil.copyfileobj(file, copy, CHUNK_BYTES)

        _all(upload, names)

    @property
    def has_bucket(self) -> bool:
        """Whether the bucket is there; it counts as there where nobody says so."""
        return not self._is_s3 or s3.has_bucket(self._key("")[0])

    @property
    def _is_s3(self) -> bool:
        return self.url.startswith("s3://")

    def _key(self, name: str) -> tuple[str, str]:
        bucket, _, key = self._path(name).partition("/")
        return bucket, key

    def _path(self, name: str) -> str:
        return posixpath.join(self.url.partition("://")[2].rstrip("/"), name).rstrip("/")


def _all(function: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Calls the function for all items, a few at a time. Raises the first error."""
    for _ in map_in_order(function, items, _THREADS):
        pass


@functools.lru_cache
def _client() -> fs.FileSystem:
    """Returns one client for all threads of the process."""
    from pyarrow import fs

    return fs.GcsFileSystem()
