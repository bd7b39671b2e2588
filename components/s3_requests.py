"""Makes the requests to S3: one for a small object, conditional writes, listings by the page, exact downloads.

`components.object_storage` alone uses this. Errors of the client are raised as OSError.
"""

from __future__ import annotations

import functools
import os
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from components.s3_errors import as_os_error
from components.s3_patience import ATTEMPTS, Patience, repeated
from components.server_clock import server_seconds
from components.storage_requests import CHUNK_BYTES, CLASH_SECONDS, ObjectChangedError

CONNECT_SECONDS = 10.0
_OBJECTS = "Objects"  # of a page, with `_take_objects`
_CHANGED = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")
_NOTHING_THERE = ("NoSuchBucket", "NoSuchKey", "404")
_REMOVED_AT_ONCE = 1000  # objects, by one request
_MAKING = threading.Lock()
_UNSORTED = "--x-s3"  # of directory buckets, whose listings are in no order


def list_objects(bucket: str, prefix: str) -> Iterator[tuple[str, int, int]]:
    """Yields name, bytes and stamp of all objects whose names begin so, sorted by name; only a page is in memory.

    The stamp is the time of modification in nanoseconds since 1970, to a millisecond; the digits from 100 to 999,900 ns
    come from the ETag, so that an object that is replaced twice within a second of S3's clock has two stamps. A bucket
    that is not there has none, nor do the objects that stand for folders count.
    """
    found = _list_objects(bucket, prefix)
    return iter(sorted(found)) if bucket.endswith(_UNSORTED) else found


def _list_objects(bucket: str, prefix: str) -> Iterator[tuple[str, int, int]]:
    with as_os_error(f"s3://{bucket}/{prefix} cannot be listed"):
        pages = _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        try:
            for page in pages:
                yield from (each for each in page[_OBJECTS] if not each[0].endswith("/"))
        except _client().exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in _NOTHING_THERE:
                raise


def _take_objects(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Reads the objects of a page, and leaves none to botocore, which takes several times as long for them."""
    if response_dict["status_code"] != HTTPStatus.OK:
        return
    try:
        page = ElementTree.fromstring(response_dict["body"])
        customized_response_dict[_OBJECTS] = _objects(page)
    except (ElementTree.ParseError, ValueError) as error:
        raise OSError(f"the server lists objects in XML that cannot be read: {error}") from error
    response_dict["body"] = ElementTree.tostring(page)


def _objects(page: ElementTree.Element) -> list[tuple[str, int, int]]:
    """Returns the objects of a page, and takes them out of it."""
    space = page.tag.rpartition("}")[0] + "}" if "}" in page.tag else ""
    contents = page.findall(f"{space}Contents")
    decoded = unquote_plus if page.findtext(f"{space}EncodingType") == "url" else str
    objects = [
        (
            decoded(each.findtext(f"{space}Key", "")),
            int(each.findtext(f"{space}Size", "0")),
            _stamp(each.findtext(f"{space}LastModified", ""), each.findtext(f"{space}ETag", "")),
        )
        for each in contents
    ]
    for each in contents:
        page.remove(each)
    return objects


def _stamp(modified: str, etag: str) -> int:
    return round(datetime.fromisoformat(modified.replace("Z", "+00:00")).timestamp() * 1000) * 10**6 + _digits(etag)


def download(bucket: str, key: str, size: int, stamp: int, target: Path) -> None:
    """Writes an object to a file, as `list_objects` has listed it.

    Raises ObjectChangedError if it was replaced or removed since: what S3 says of it comes with its bytes.
    """
    with as_os_error(f"s3://{bucket}/{key} cannot be read"):
        repeated(lambda: _download(bucket, key, size, stamp, target))


def _download(bucket: str, key: str, size: int, stamp: int, target: Path) -> None:
    changed = ObjectChangedError(f"s3://{bucket}/{key} has changed since it was listed")
    try:
        found = _client().get_object(Bucket=bucket, Key=key)
    except _client().exceptions.NoSuchKey:
        raise changed from None
    seconds = found["LastModified"].timestamp()
    # The header has whole seconds, where listings may have more digits.
    same_time = abs(stamp / 1e9 - seconds) < 1 and stamp % 10**6 == _digits(found["ETag"])
    if not (same_time and found["ContentLength"] == size):
        found["Body"].close()
        raise changed
    with target.open("wb") as copy:
        shutil.copyfileobj(found["Body"], copy, CHUNK_BYTES)


def change_object(bucket: str, key: str, change: Callable[[bytes], bytes]) -> bool:
    """Replaces an object's bytes, unless that changes nothing; returns False if somebody else wrote meanwhile."""
    client = _client()
    with as_os_error(f"s3://{bucket}/{key} cannot be written"):
        try:
            data, tag = repeated(lambda: _read(bucket, key))
            unchanged = {"IfMatch": tag}
        except client.exceptions.NoSuchKey:
            data, unchanged = b"", {"IfNoneMatch": "*"}
        try:
            if (changed := change(data)) != data:
                client.put_object(Bucket=bucket, Key=key, Body=changed, **unchanged)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in _CHANGED:
                raise
            return False
    return True


def read_object(bucket: str, key: str) -> bytes | None:
    """Returns an object's bytes; None if there is no such object or bucket."""
    with as_os_error(f"s3://{bucket}/{key} cannot be read"):
        try:
            return repeated(lambda: _read(bucket, key))[0]
        except _client().exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in _NOTHING_THERE:
                raise
            return None


def _read(bucket: str, key: str) -> tuple[bytes, str]:
    """Returns the bytes of an object, and its ETag."""
    found = _client().get_object(Bucket=bucket, Key=key)
    return bytes(found["Body"].read()), found["ETag"]


def write_object(bucket: str, key: str, data: bytes) -> None:
    """Writes an object, and replaces one that is already there."""
    with as_os_error(f"s3://{bucket}/{key} cannot be written"):
        _client().put_object(Bucket=bucket, Key=key, Body=data)


def create_object(bucket: str, key: str, data: bytes) -> bool:
    """Writes an object unless one is there; returns whether what is there then has these bytes."""
    last = time.monotonic() + CLASH_SECONDS
    with as_os_error(f"s3://{bucket}/{key} cannot be written"):
        while time.monotonic() < last:
            try:
                _client().put_object(Bucket=bucket, Key=key, Body=data, IfNoneMatch="*")
                return True
            except _client().exceptions.ClientError as error:
                if error.response["Error"]["Code"] not in _CHANGED:
                    raise
            # A repeated request, whose first answer was lost, finds its own object. None: just removed, or a clash.
            if (there := read_object(bucket, key)) is not None:
                return there == data
            time.sleep(0.02)
    raise OSError(f"s3://{bucket}/{key} cannot be written: it is there and is not. Do removed versions count there?")


def upload_object(bucket: str, key: str, source: Path) -> None:
    """Writes an object from a file, a large one in parts: all of the file that is there now, if it is replaced."""
    from boto3.s3.transfer import TransferConfig

    with as_os_error(f"s3://{bucket}/{key} cannot be written"), source.open("rb") as file:
        _client().upload_fileobj(file, bucket, key, Config=TransferConfig(use_threads=False))


def object_state(bucket: str, key: str) -> tuple[int, int]:
    """Returns the size of an object and a stamp that changes with its bytes or time; zeros if there is none."""
    with as_os_error(f"s3://{bucket}/{key} cannot be read"):
        try:
            found = _client().head_object(Bucket=bucket, Key=key)
        except _client().exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in _NOTHING_THERE:
                raise
            return 0, 0
    return found["ContentLength"], round(found["LastModified"].timestamp() * 1000) * 10**6 + _digits(found["ETag"])


def has_bucket(bucket: str) -> bool:
    """Returns whether there is a bucket of this name; one that is somebody else's counts."""
    return _head(bucket).get("Error", {}).get("Code") not in _NOTHING_THERE


def seconds_now(bucket: str) -> float:
    """Returns the time of the server's clock, in seconds since 1970, rounded up."""
    return server_seconds(_head(bucket)["ResponseMetadata"]["HTTPHeaders"])


def _head(bucket: str) -> Any:
    """Returns what the server says of a bucket, also if it refuses or has none of this name."""
    with as_os_error(f"s3://{bucket} cannot be read"):
        try:
            return _client().head_bucket(Bucket=bucket)
        except _client().exceptions.ClientError as error:
            return error.response


def remove_objects(bucket: str, keys: Sequence[str]) -> None:
    """Removes objects, many by one request; those that are not there do not matter."""
    for start in range(0, len(keys), _REMOVED_AT_ONCE):
        objects = [{"Key": key} for key in keys[start : start + _REMOVED_AT_ONCE]]
        with as_os_error(f"s3://{bucket}/{objects[0]['Key']} cannot be removed"):
            failed = _client().delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors")
        if failed:
            raise OSError(f"s3://{bucket}/{failed[0].get('Key')} cannot be removed: {failed[0].get('Message')}")


def _digits(etag: str) -> int:
    """Returns a number that differs for other bytes, below a millisecond in nanoseconds, as far as disks keep it."""
    return zlib.crc32(etag.encode()) % 10_000 * 100


def _client() -> Any:
    with _MAKING:  # boto3 fails if two threads make their first clients at once
        return _make_client(os.environ.get("AWS_ENDPOINT_URL") or None)


@functools.lru_cache
def _make_client(endpoint: str | None) -> Any:
    """Returns one client for all threads of the process. Raises OSError if the endpoint is no URL."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    try:
        client = boto3.client("s3", endpoint_url=endpoint, config=config)
    except BotoCoreError:
        raise
    except ValueError as error:  # which the client raises for an endpoint alone
        raise OSError(f"AWS_ENDPOINT_URL must look like http://HOST:PORT. {error}") from error
    client.meta.events.register("before-parse.s3.ListObjectsV2", _take_objects)
    client.meta.events.register("needs-retry.s3", Patience().needs_retry)
    return client
