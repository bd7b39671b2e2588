"""Writes into a LiteRT file (`.tflite`) what Android's task libraries read: pixel range, labels, texts.

The format is public: a flatbuffer `ModelMetadata` in a buffer that the model calls TFLITE_METADATA, and the labels in a
zip archive behind the model. Tables are written by the numbers of their fields, as in `metadata_schema.fbs` 1.0.0.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

METADATA_NAME, METADATA_IDENTIFIER, MODEL_IDENTIFIER = "TFLITE_METADATA", b"M001", b"TFL3"
PARSER_VERSION = "1.0.0"  # the oldest one that knows all that is written here
LABELS = "labels.txt"
IMAGE_PROPERTIES, RGB, NORMALIZATION, AXIS_LABELS = 2, 1, 1, 2  # constants of the format
ALIGNMENT = 16  # bytes: kernels read weights where they lie in the file


@dataclass(frozen=True)
class LiteRTTexts:
    """What a file says of itself. `class_names` are in the order of the probabilities."""

    class_names: tuple[str, ...]
    description: str
    version: str
    author: str
    license: str


def add_metadata(model: bytes, texts: LiteRTTexts) -> bytes:
    """Returns a model of one image input and one output of probabilities, with its metadata and labels inside.

    The model's own bytes stay as they are, behind the new tables: packed anew in Python, its weights would lose the
    alignment that kernels on phones rely on.
    """
    return _with_labels(_with_buffer(model, _packed_metadata(texts)), texts.class_names)


def read_labels(file: Any) -> tuple[str, ...]:
    """Reads the labels in a `.tflite`, a path or an open file. Raises KeyError or BadZipFile if there are none."""
    with zipfile.ZipFile(file) as archive:
        return tuple(archive.read(LABELS).decode().removesuffix("\n").split("\n"))


def _with_labels(model: bytes, class_names: tuple[str, ...]) -> bytes:
    """Appends the archive: not compressed, since phones map it into memory, and of no date, so that bytes repeat."""
    file = io.BytesIO(model)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(LABELS), "".join(f"{name}\n" for name in class_names))
    return file.getvalue()


def _with_buffer(model: bytes, metadata: bytes) -> bytes:
    """Puts a new root table before the model. It shares all of the old one's tables, and has one more buffer."""
    old = schema.Model.GetRootAs(model)
    builder = _Prepending(model)
    data = builder.CreateByteVector(metadata)
    buffers = [builder.old(old.Buffers(index)._tab.Pos) for index in range(old.BuffersLength())]
    buffers.append(_table(builder, {0: data}))
    entries = [builder.old(old.Metadata(index)._tab.Pos) for index in range(old.MetadataLength())]
    entries.append(_table(builder, {0: builder.CreateString(METADATA_NAME), 1: np.uint32(len(buffers) - 1)}))
    fields: dict[int, Any] = {0: np.uint32(old.Version()), 4: _vector(builder, buffers), 6: _vector(builder, entries)}
    for field in (1, 2, 3, 5, 7, 8, 9):  # operator codes, subgraphs, description, metadata buffer, signatures, ...
        if offset := old._tab.Offset(4 + 2 * field):
            fields[field] = builder.old(old._tab.Indirect(old._tab.Pos + offset))
    builder.minalign = ALIGNMENT
    builder.Finish(_table(builder, fields), file_identifier=MODEL_IDENTIFIER)
    return bytes(builder.Output())


class _Prepending(flatbuffers.Builder):
    """A builder whose buffer ends in a finished one. Builders write from back to front, and count from the back."""

    def __init__(self, finished: bytes) -> None:
        super().__init__(1024)
        self._finished_bytes = -(-len(finished) // ALIGNMENT) * ALIGNMENT
        self.Bytes = bytearray(1024) + finished.ljust(self._finished_bytes, b"\0")

    def old(self, position: int) -> int:
        """Returns the offset of what lies at a position of the finished buffer."""
        return self._finished_bytes - position


def _packed_metadata(texts: LiteRTTexts) -> bytes:
    builder = flatbuffers.Builder(1024)
    text = builder.CreateString
    properties = _table(builder, {0: np.int8(RGB)})
    content = _table(builder, {0: np.uint8(IMAGE_PROPERTIES), 1: properties})
    unchanged = _table(builder, {0: _floats(builder, 0.0), 1: _floats(builder, 1.0)})  # normalization is in the model
    steps = _vector(builder, [_table(builder, {0: np.uint8(NORMALIZATION), 1: unchanged})])
    image = _table(
        builder,
        {
            0: text("image"),
            1: text("RGB, 0-255: the largest centered window of the photo, turned upright, resized to the input."),
            3: content,
            4: steps,
            5: _table(builder, {0: _floats(builder, 255.0), 1: _floats(builder, 0.0)}),
        },
    )
    labels = _table(builder, {0: text(LABELS), 1: text("The classes, one a line."), 2: np.int8(AXIS_LABELS)})
    probabilities = _table(
        builder,
        {
            0: text("probabilities"),
            1: text("The probability of each class, 0 to 1."),
            5: _table(builder, {0: _floats(builder, 1.0), 1: _floats(builder, 0.0)}),
            6: _vector(builder, [labels]),
        },
    )
    graph = _table(builder, {2: _vector(builder, [image]), 3: _vector(builder, [probabilities])})
    fields = {
        0: text("Classifier"),
        1: text(texts.description),
        2: text(texts.version),
        3: _vector(builder, [graph]),
        4: text(texts.author),
        5: text(texts.license),
        7: text(PARSER_VERSION),
    }
    builder.Finish(_table(builder, fields), file_identifier=METADATA_IDENTIFIER)
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, fields: dict[int, Any]) -> int:
    """Writes a table: NumPy numbers are stored in it, Python's int are offsets of what was written before."""
    builder.StartObject(max(fields) + 1)
    for field, value in fields.items():
        if isinstance(value, np.integer):
            getattr(builder, f"Prepend{value.dtype.name.capitalize()}Slot")(field, int(value), 0)
        else:
            builder.PrependUOffsetTRelativeSlot(field, value, 0)
    return builder.EndObject()


def _vector(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder: flatbuffers.Builder, value: float) -> int:
    return builder.CreateNumpyVector(np.array([value], np.float32))
