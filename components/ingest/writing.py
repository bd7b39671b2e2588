"""Writes prepared TFDS datasets: in constant memory, in the given order, and always as the same bytes."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds

from components.files import digest_file

SHARD_BYTES = 128 << 20
_BEFORE_RECORD, _AFTER_RECORD = 12, 4  # bytes of a TFRecord: its length and the checksum of that; its own checksum
Stored = Callable[[Path, Sequence[int]], None]  # a file of records that is whole, and the first byte of each record
_FILES = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_INDEX}"  # without the number of shards, which is not known in advance


def write_dataset(
    directory: Path,
    full_name: str,
    features: tfds.features.FeaturesDict,
    splits: Mapping[str, Iterable[dict[str, Any]]],
    **description: str,
) -> None:
    """Makes `directory` a folder that `tfds.builder_from_directory` reads.

    TFDS's own builders would shuffle the examples by the hash of their keys, with up to a gigabyte of them in memory.

    Args:
        directory: the folder to make; nothing may be there yet.
        full_name: name and version, such as "cifar10_sample/1.0.0".
        features: the features of an example.
        splits: the examples of each split, in the order in which they are stored.
        description: `description`, `homepage` and `citation` for `tfds.core.DatasetInfo`.

    Raises:
        OSError: the disk is full, or something is already there.
    """
    directory.mkdir(parents=True)
    serialize = serializer(features)
    records = {split: map(serialize, examples) for split, examples in splits.items()}
    write_records(directory, full_name, features, records, description=description)


def serializer(features: tfds.features.FeaturesDict) -> Callable[[dict[str, Any]], bytes]:
    """Returns a function that makes a record of an example: always the same bytes. Threads may share it."""
    inner = tfds.core.ExampleSerializer(features.get_serialized_info())

    def serialize(example: dict[str, Any]) -> bytes:
        # Without `deterministic`, protobuf writes the features in a different order in every process.
        return inner.get_tf_example(features.encode_example(example)).SerializeToString(deterministic=True)

    return serialize


def write_records(
    directory: Path,
    full_name: str,
    features: tfds.features.FeaturesDict,
    splits: Mapping[str, Iterable[bytes]],
    *,
    shard_bytes: int | None = None,
    stored: Stored = lambda file, starts: None,
    description: Mapping[str, str] | None = None,
) -> dict[Path, str]:
    """Makes `directory` a dataset as `write_dataset` does, from records that `serializer` has made.

    What an earlier attempt has left there is replaced, file by file. Returns the SHA-256 of each file of records.
    `stored` is called once a file of at least `shard_bytes`, or the last one of a split, is whole.
    """
    directory.mkdir(parents=True, exist_ok=True)
    name, version = full_name.split("/")
    identity = tfds.core.DatasetIdentity(
        name=name, version=tfds.core.Version(version), data_dir=str(directory), module_name=__name__
    )
    info = tfds.core.DatasetInfo(builder=identity, features=features, disable_shuffling=True, **(description or {}))
    info.set_file_format(tfds.core.FileFormat.TFRECORD)
    size = shard_bytes or SHARD_BYTES
    writers = [_SplitWriter(directory, name, split, size, stored).write(records) for split, records in splits.items()]
    info.set_splits(tfds.core.SplitDict([writer.info() for writer in writers]))
    info.write_to_directory(directory)
    for stray in set(directory.glob("*.tfrecord-*")).difference(*(writer.digests for writer in writers)):
        stray.unlink(missing_ok=True)
    return {path: sha256 for writer in writers for path, sha256 in writer.digests.items()}


class _SplitWriter:
    """A writer of the files of one split, which begins a new file when the last one is full."""

    def __init__(self, directory: Path, dataset: str, split: str, shard_bytes: int, stored: Stored) -> None:
        self._shard_bytes, self._stored = shard_bytes, stored
        self._files = tfds.core.ShardedFileTemplate(
            data_dir=directory, template=_FILES, dataset_name=dataset, split=split, filetype_suffix="tfrecord"
        )
        self.digests: dict[Path, str] = {}  # SHA-256 of each file
        self._lengths: list[int] = []
        self._bytes = 0

    def write(self, records: Iterable[bytes]) -> _SplitWriter:
        records = iter(records)
        for first in records:
            path = Path(self._files.sharded_filepath(shard_index=len(self._lengths), num_shards=None))
            draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
            try:
                with tf.io.TFRecordWriter(str(draft)) as file:
                    starts = self._fill(file, chain([first], records))
                # Now, while the system still holds the file in memory.
                self.digests[path] = digest_file(draft)
                os.replace(draft, path)
                self._lengths.append(len(starts))
                self._stored(path, starts)
            except tf.errors.ResourceExhaustedError:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
            finally:
                draft.unlink(missing_ok=True)
        return self

    def _fill(self, file: tf.io.TFRecordWriter, records: Iterable[bytes]) -> list[int]:
        """Fills a file and returns the first byte of each of its records; the other records are left."""
        starts: list[int] = []
        place = size = 0
        for record in records:
            file.write(record)
            starts.append(place + _BEFORE_RECORD)
            place += _BEFORE_RECORD + len(record) + _AFTER_RECORD
            size += len(record)
            if size >= self._shard_bytes:
                break
        self._bytes += size
        return starts

    def info(self) -> tfds.core.SplitInfo:
        return tfds.core.SplitInfo(self._files.split, self._lengths, self._bytes, self._files)
