"""The row of one photo in the Parquet files of `python -m pipeline.predict --input`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pipeline.predict.served import Prediction

if TYPE_CHECKING:
    import pyarrow as pa

NEXT_CLASSES = 4


class Row(NamedTuple):
    """What was predicted for one photo, or why nothing was."""

    file: str  # relative to the input, with \\x.. for bytes that are not UTF-8
    class_name: str | None  # the most likely class; None: see `error`
    probability: float | None  # of it, 0-1
    next_classes: list[str]  # the most likely ones after it, at most `NEXT_CLASSES`
    next_probabilities: list[float]
    confident: bool  # whether the class is likely enough to be named
    version: int
    error: str | None  # why the photo gives no prediction


def predicted(file: str, version: int, prediction: Prediction) -> Row:
    """Returns the row of a photo that was classified."""
    first, *others = list(prediction.probabilities.items())[: 1 + NEXT_CLASSES]
    names, probabilities = [name for name, _ in others], [probability for _, probability in others]
    return Row(_text(file), *first, names, probabilities, prediction.confident, version, None)


def failed(file: str, version: int, error: str) -> Row:
    """Returns the row of a photo that gives no prediction."""
    return Row(_text(file), None, None, [], [], False, version, error)


def to_table(rows: Sequence[Row]) -> pa.Table:
    """Returns the rows as a table of Arrow, with the column `class` for `class_name`."""
    import pyarrow as pa

    schema = pa.schema(
        {
            "file": pa.string(),
            "class": pa.string(),
            "probability": pa.float32(),
            "next_classes": pa.list_(pa.string()),
            "next_probabilities": pa.list_(pa.float32()),
            "confident": pa.bool_(),
            "version": pa.int32(),
            "error": pa.string(),
        }
    )
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def _text(file: str) -> str:
    return os.fsencode(file).decode("utf-8", "backslashreplace")
