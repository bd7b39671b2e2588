"""Makes the requests to Google Cloud Storage, by Google's own client: one for a small object, conditional writes.

`components.object_storage` alone uses this; `components.storage_requests` says what each function does. A stamp is the
generation of an object, which Google takes from its clock in microseconds. Errors of the client are raised as OSError.
STORAGE_EMULATOR_HOST names another server. The client takes 0.3 s of CPU time to import: only once it is needed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from components.gs_errors import as_os_error
from components.server_clock import server_seconds
from components.storage_requests import CHUNK_BYTES, CLASH_SECONDS, ObjectChangedError
from components.thread_map import map_in_order

RETRY_SECONDS = 60.0  # during which a request is repeated that fails
_ABSENT = 0  # the generation of no object
_LISTED = "items(name,size,generation),nextPageToken"
_STAMP_NS = 1000  # of one in the generation
_THREADS = 8


def list_objects(bucket: str, prefix: str) -> Iterator[tuple[str, int, int]]:
    """Yields name, bytes and stamp of all objects whose names begin so, sorted by name."""
    from google.api_core.exceptions import NotFound

    with as_os_error(f"gs://{bucket}/{prefix} cannot be listed"), contextlib.suppress(NotFound):
        for blob in _bucket(bucket).list_blobs(prefix=prefix, fields=_LISTED, retry=_retry()):
            if not blob.name.endswith("/"):
                yield blob.name, blob.size, blob.generation * _STAMP_NS


def download(bucket: str, key: str, size: int, stamp: int, target: Path) -> None:
    """Writes an object to a file as it was listed. Raises ObjectChangedError if it was replaced or removed since."""
    from google.api_core.exceptions import NotFound, PreconditionFailed

    changed = ObjectChangedError(f"gs://{bucket}/{key} has changed since it was listed")
    generation = stamp // _STAMP_NS
    with as_os_error(f"gs://{bucket}/{key} cannot be read"):
        blob = _blob(bucket, key)
        try:
            with target.open("wb") as copy:
                blob.download_to_file(copy, raw_download=True, if_generation_match=generation, retry=_retry())
        except (NotFound, PreconditionFailed):
            raise changed from None
    if (blob.generation, target.stat().st_size) != (generation, size):  # of a server that reads on no condition
        raise changed


def read_object(bucket: str, key: str) -> bytes | None:
    """Returns an object's bytes; None if there is no such object or bucket."""
    with as_os_error(f"gs://{bucket}/{key} cannot be read"):
        return _read(bucket, key)[0]


def write_object(bucket: str, key: str, data: bytes) -> None:
    """Writes an object, and replaces one that is already there."""
    with as_os_error(f"gs://{bucket}/{key} cannot be written"):
        _write(bucket, key, data)


def create_object(bucket: str, key: str, data: bytes) -> bool:
    """Writes an object unless one is there; returns whether what is there then has these bytes."""
    last = time.monotonic() + CLASH_SECONDS
    with as_os_error(f"gs://{bucket}/{key} cannot be written"):
        while time.monotonic() < last:
            if _write(bucket, key, data, _ABSENT):
                return True
            # A repeated request, whose first answer was lost, finds its own object. None: just removed.
            if (there := _read(bucket, key)[0]) is not None:
                return there == data
    raise OSError(f"gs://{bucket}/{key} cannot be written: the server says that it is there, and does not give it")


def change_object(bucket: str, key: str, change: Callable[[bytes], bytes]) -> bool:
    """Replaces an object's bytes, unless that changes nothing; returns False if somebody else wrote meanwhile."""
    with as_os_error(f"gs://{bucket}/{key} cannot be written"):
        data, generation = _read(bucket, key)
        changed = change(data or b"")
        return changed == (data or b"") or _write(bucket, key, changed, generation)


def upload_object(bucket: str, key: str, source: Path) -> None:
    """Writes an object from a file, a large one in parts."""
    what = f"gs://{bucket}/{key} cannot be written"
    with as_os_error(what):
        try:
            _blob(bucket, key, chunk_size=CHUNK_BYTES).upload_from_filename(str(source), retry=_retry())
        except ValueError as error:  # the client and the server disagree on the parts that have arrived
            raise OSError(f"{what}: {error}") from error


def object_state(bucket: str, key: str) -> tuple[int, int]:
    """Returns the size and the stamp of an object; zeros if there is none."""
    with as_os_error(f"gs://{bucket}/{key} cannot be read"):
        blob = _bucket(bucket).get_blob(key, retry=_retry())
    return (0, 0) if blob is None else (blob.size, blob.generation * _STAMP_NS)


def has_bucket(bucket: str) -> bool:
    """Returns whether there is a bucket of this name; one that is somebody else's counts."""
    from google.api_core.exceptions import ClientError

    with as_os_error(f"gs://{bucket} cannot be read"):
        try:
            return bool(_bucket(bucket).exists(retry=_retry()))
        except ClientError:  # to write objects, nobody needs the right to look at the bucket itself
            return True


def seconds_now(bucket: str) -> float:
    """Returns the time of the server's clock, in seconds since 1970, rounded up."""
    import requests

    with as_os_error(f"gs://{bucket} cannot be read"):
        return server_seconds(requests.get(_client().api_endpoint, timeout=RETRY_SECONDS).headers)


def remove_objects(bucket: str, keys: Sequence[str]) -> None:
    """Removes objects, in no order; those that are not there do not matter."""
    from google.api_core.exceptions import NotFound

    def remove(key: str) -> None:
        with as_os_error(f"gs://{bucket}/{key} cannot be removed"), contextlib.suppress(NotFound):
            _bucket(bucket).delete_blob(key, retry=_retry())

    for _ in map_in_order(remove, keys, _THREADS):
        pass


def _read(bucket: str, key: str) -> tuple[bytes | None, int]:
    """Returns an object's bytes and generation; None and _ABSENT if there is no such object or bucket."""
    from google.api_core.exceptions import NotFound

    blob = _blob(bucket, key)
    try:
        return blob.download_as_bytes(raw_download=True, retry=_retry()), int(blob.generation)
    except NotFound:
        return None, _ABSENT


def _write(bucket: str, key: str, data: bytes, generation: int | None = None) -> bool:
    """Writes an object, if need be on condition that it has this generation; returns whether it had."""
    from google.api_core.exceptions import PreconditionFailed

    try:
        _blob(bucket, key).upload_from_string(
            data, "application/octet-stream", if_generation_match=generation, retry=_retry()
        )
    except PreconditionFailed:
        return False
    return True


def _blob(bucket: str, key: str, **options: Any) -> Any:
    return _bucket(bucket).blob(key, **options)


def _bucket(name: str) -> Any:
    try:
        return _client().bucket(name)
    except ValueError as error:
        raise OSError(f"gs://{name}: {error}") from error


def _retry() -> Any:
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(RETRY_SECONDS).with_delay(initial=0.2, maximum=10)


def _client() -> Any:
    return _make_client(os.environ.get("STORAGE_EMULATOR_HOST"))


@functools.lru_cache
def _make_client(endpoint: str | None) -> Any:
    """Returns one client for all threads of the process; it reads the endpoint from the environment itself."""
    from google.cloud.storage import Client

    return Client(project=None)
