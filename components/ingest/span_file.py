"""Writes and reads what one span of photos becomes: a file of records, and an index with a row for each file.

Their names begin with a dot: they are drafts, and no store uploads them. The index is written last, in one step, and
names its records: a span that is read twice, or half, leaves nothing that does not belong together. Once the records
lie in the dataset, the index names the dataset's files: see `components.ingest.moving`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.files import write_arrays

REJECTED = -1  # the record bytes of a file that cannot be read


class SpanIndex(NamedTuple):
    """The files of a span, in its order. Times are in nanoseconds since 1970."""

    records: tuple[str, ...]  # names of the files beside the index that hold the records
    split: str  # of the source
    names: bytes  # relative to the source's folder, a zero byte after each
    labels: NDArray[np.int64]  # (n,)
    units: NDArray[np.int64]  # (n,): equal for files that belong together; 0: the file stands alone
    record_files: NDArray[np.int64]  # (n,): the place in `records` of the file that holds the record
    record_starts: NDArray[np.int64]  # (n,): its first byte there
    record_bytes: NDArray[np.int64]  # (n,); REJECTED: there is no record
    shapes: NDArray[np.int64]  # (n, 2): height and width of the image as stored
    states: NDArray[np.int64]  # (n, 3): bytes of the file, its time, and when it was read; 0: it changed meanwhile
    sha256: NDArray[np.uint8]  # (n, 32), of the file's bytes
    pixels: NDArray[np.uint8]  # (n, 16): the digest of the image's pixels

    @property
    def files(self) -> list[str]:
        """The names of the files, relative to the source's folder."""
        return split_names(self.names)


def index_path(folder: Path, number: int) -> Path:
    """Returns the path of the index of a span."""
    return folder / f".span-{number:06d}.npz"


def write(path: Path, index: SpanIndex) -> None:
    """Writes an index that readers see whole or not at all."""
    columns = index._asdict()
    write_arrays(path, {**columns, "names": np.frombuffer(index.names, np.uint8)})


def read(path: Path) -> SpanIndex:
    """Reads an index. Raises an exception of any kind if it is gone or damaged: each column has a checksum."""
    with np.load(path) as columns:
        found = {name: columns[name] for name in SpanIndex._fields}
    texts = {"records": tuple(found["records"].tolist()), "split": str(found["split"])}
    return SpanIndex(**{**found, **texts, "names": found["names"].tobytes()})


def has_all_records(folder: Path, index: SpanIndex) -> bool:
    """Returns whether the files of records are in the folder, and long enough. Raises OSError if one is gone."""
    ends = index.record_starts + index.record_bytes
    of_file = [
        ends[(index.record_files == file) & (index.record_bytes != REJECTED)] for file in range(len(index.records))
    ]
    sizes = [(folder / name).stat().st_size for name in index.records]
    return all(size >= ends.max(initial=0) for size, ends in zip(sizes, of_file, strict=True))


def join_names(files: Iterable[str]) -> bytes:
    """Returns the names as one block of bytes, which takes a third of the memory of a list."""
    return b"".join(os.fsencode(file) + b"\0" for file in files)


def split_names(names: bytes) -> list[str]:
    """Returns the names of a block that `join_names` has made."""
    return [os.fsdecode(name) for name in names.split(b"\0")[:-1]]
