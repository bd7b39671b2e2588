"""Writes spans of photos that nobody has decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.ingest import span_file
from components.ingest.span_file import REJECTED, SpanIndex, join_names


def write_span(
    folder: Path, number: int, files: dict[str, bytes | None], units: tuple[int, ...] = ()
) -> tuple[Path, SpanIndex]:
    """A span of files, named `<label>/...`, with a record each; None: the file cannot be read."""
    records = f".span-{number}.records"
    (folder / records).write_bytes(b"".join(filter(None, files.values())))
    sizes = [len(record or b"") for record in files.values()]
    index = SpanIndex(
        records=(records,),
        split="train",
        names=join_names(files),
        labels=np.array([int(file[0]) for file in files]),
        units=np.array(units or [0] * len(files)),
        record_files=np.zeros(len(files), np.int64),
        record_starts=np.cumsum([0, *sizes])[:-1],
        record_bytes=np.array([REJECTED if record is None else len(record) for record in files.values()]),
        shapes=np.array([(2, 3)] * len(files)),
        states=np.zeros((len(files), 3), np.int64),
        sha256=np.zeros((len(files), 32), np.uint8),
        pixels=np.array([list((record or b"").ljust(16)[:16]) for record in files.values()], np.uint8),
    )
    path = span_file.index_path(folder, number)
    span_file.write(path, index)
    return path, index
