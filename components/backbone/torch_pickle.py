"""Reads tensors from PyTorch's file format of before version 1.6, without PyTorch and without executing the file.

Such a file is five pickles (a magic number, the protocol, the machine's number formats, a dictionary of tensors, the
keys of their storages) and then, for each key, an int64 count and that many values (torch/serialization.py, "legacy").
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from components.backbone.pickle_program import RefusedError, Storage, Tensor, follow, shown
from components.component import ComponentError

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


def read_tensors(data: bytes, where: str) -> dict[str, np.ndarray]:
    """Reads a dictionary of tensors.

    Args:
        data: the content of the file.
        where: the file's name, for errors.

    Returns:
        The tensors by name: read-only views of `data`, with the strides of the file, so mostly not contiguous.

    Raises:
        ComponentError: the file is damaged, of another format, names anything but tensors, or holds a tensor that
            does not lie within its storage.
    """
    try:
        return _tensors(data)
    except RefusedError as error:
        raise ComponentError(
            f"{where}: {error}. Expected are tensors by name in PyTorch's format of before version 1.6 (`torch.save` "
            "of a `state_dict` with `_use_new_zipfile_serialization=False`). Take another file, or install the "
            "package that brought it again."
        ) from error


def _tensors(data: bytes) -> dict[str, np.ndarray]:
    if data.startswith(b"PK\x03\x04"):
        raise RefusedError("the file is a zip, the format of PyTorch since version 1.6")
    stream = io.BytesIO(data)
    if (magic := follow(stream).value) != MAGIC_NUMBER or type(magic) is not int:
        raise RefusedError(f"the file begins with {shown(magic)}, not with PyTorch's magic number")
    if (protocol := follow(stream).value) != PROTOCOL:
        raise RefusedError(f"the protocol is {shown(protocol)}, not {PROTOCOL}")
    machine = follow(stream).value
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise RefusedError("the file does not say that its numbers are little-endian")
    program, keys = follow(stream), follow(stream).value
    arrays = _read_storages(data, stream.tell(), keys, program.storages)
    if not isinstance(program.value, dict):
        raise RefusedError(f"the file holds {shown(program.value)} instead of tensors by name")
    return {name: _array(name, tensor, arrays) for name, tensor in program.value.items()}


def _read_storages(data: bytes, position: int, keys: Any, storages: dict[str, Storage]) -> dict[str, np.ndarray]:
    """Returns the values (count,) of each storage."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise RefusedError("the list of storages is no list of keys")
    if len(set(keys)) != len(keys) or set(keys) != set(storages):
        raise RefusedError(
            f"the {len(keys):,} storages that the file lists are not the {len(storages):,} of its tensors"
        )
    arrays = {}
    for key in keys:
        storage = storages[key]
        count = int.from_bytes(data[position : position + 8], "little", signed=True)
        end = position + 8 + storage.count * np.dtype(storage.dtype).itemsize
        if len(data) < end:
            raise RefusedError(f"the file ends after {len(data):,} bytes, and storage {key!r} at {end:,}")
        if count != storage.count:
            raise RefusedError(f"storage {key!r} has {count:,} values, and its tensor tells of {storage.count:,}")
        arrays[key] = np.frombuffer(data, storage.dtype, count, position + 8)
        position = end
    if position != len(data):
        raise RefusedError(f"{len(data) - position:,} bytes follow the last storage")
    return arrays


def _array(name: str, tensor: Any, arrays: dict[str, np.ndarray]) -> np.ndarray:
    if not isinstance(tensor, Tensor):
        raise RefusedError(f"{name!r} is {shown(tensor)}, not a tensor")
    shape, strides, count = tensor.shape, tensor.strides, tensor.storage.count
    layout = f"{name!r} has the shape {shape}, the strides {strides} and the offset {tensor.offset}"
    if len(shape) != len(strides) or min(*shape, 1, 1) < 1 or min(*strides, tensor.offset, 0) < 0:
        raise RefusedError(f"{layout}, which no tensor has")
    end = tensor.offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + 1
    if end > count:
        raise RefusedError(f"{layout}, and its storage only {count:,} values")
    extent = 1
    for stride, size in sorted((stride, size) for stride, size in zip(strides, shape, strict=True) if size > 1):
        if stride < extent:
            raise RefusedError(f"{layout}: its values overlap")
        extent += (size - 1) * stride
    values = arrays[tensor.storage.key]
    steps = [stride * values.itemsize * (size > 1) for stride, size in zip(strides, shape, strict=True)]
    return np.lib.stride_tricks.as_strided(values[tensor.offset :], shape, steps, writeable=False)
