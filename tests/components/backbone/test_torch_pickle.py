"""Tensors in PyTorch's old format are read with their strides; whatever else a file holds is refused, not executed."""

from __future__ import annotations

import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.backbone.pickle_program import MAX_INSTRUCTIONS
from components.backbone.torch_pickle import MAGIC_NUMBER, read_tensors
from components.component import ComponentError

VALUES = np.arange(12, dtype=np.float32)
HEADER = tuple(pickle.dumps(value, protocol=2) for value in (MAGIC_NUMBER, 1001, {"little_endian": True}))


class Named(str):
    """What a pickle is to hold as a global: "module name"."""


class Called(tuple):
    """What a pickle is to hold as a call: (global, arguments)."""


class Stored(tuple):
    """What a pickle is to hold as a reference to outside of it."""


REBUILD = Named("torch._utils _rebuild_tensor_v2")
FLOATS = Named("torch FloatStorage")
EMPTY = Called((Named("collections OrderedDict"), ()))


def test_strides_and_offsets_are_honored() -> None:
    tensors = read_tensors(
        _file(
            {
                "rows": _tensor((3, 4), (4, 1)),
                "columns": _tensor((4, 3), (1, 4)),
                "later": _tensor((2, 2), (4, 2), offset=1),
                "one": _tensor((1, 2), (10**9, 1), offset=10),
                "scalar": _tensor((), (), offset=7),
            }
        ),
        "a file",
    )
    assert list(tensors) == ["rows", "columns", "later", "one", "scalar"]
    np.testing.assert_array_equal(tensors["rows"], VALUES.reshape(3, 4))
    np.testing.assert_array_equal(tensors["columns"], VALUES.reshape(3, 4).T)
    np.testing.assert_array_equal(tensors["later"], [[1, 3], [5, 7]])
    np.testing.assert_array_equal(tensors["one"], [[10, 11]])
    assert tensors["scalar"].shape == ()
    assert tensors["scalar"] == 7


@pytest.mark.parametrize(
    ("name", "dtype"), [("Float", np.float32), ("Double", np.float64), ("Half", np.float16), ("Long", np.int64)]
)
def test_types_are_those_of_the_storage(name: str, dtype: type) -> None:
    tensor = _tensor((2,), (1,), kind=Named(f"torch {name}Storage"))
    values = read_tensors(_file({"x": tensor}, values=VALUES.astype(dtype)), "a file")["x"]
    assert values.dtype == dtype
    assert values.tolist() == [0, 1]


def test_what_pytorch_writes_beside_the_tensors_is_passed_over() -> None:
    """Versions of layers are an attribute of the dictionary, set at the end."""
    program = _pickle({"x": _tensor((2,), (1,))})[:-1] + _pickle({"_metadata": {"": {"version": 1}}})[2:-1] + b"b."
    assert read_tensors(_whole(program), "a file")["x"].tolist() == [0, 1]


def test_arrays_cannot_be_written_to() -> None:
    values = read_tensors(_file({"x": _tensor((2,), (1,))}), "a file")["x"]
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 1


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ({"shape": (10**9,), "strides": (1,)}, r"shape \(1000000000,\).*its storage only 12 values"),
        ({"shape": (10**9,), "strides": (0,)}, "its values overlap"),
        ({"shape": (3, 4), "strides": (2, 1)}, "its values overlap"),
        ({"shape": (3, 4), "strides": (5, 1)}, "its storage only 12 values"),
        ({"shape": (3, 4), "strides": (4, 1), "offset": 1}, r"the offset 1, and its storage only 12 values"),
        ({"shape": (2,), "strides": (-1,), "offset": 11}, r"the strides \(-1,\).*which no tensor has"),
        ({"shape": (2,), "strides": (1,), "offset": -1}, "the offset -1, which no tensor has"),
        ({"shape": (0, 10**30), "strides": (1, 1)}, "which no tensor has"),
        ({"shape": (2, 2), "strides": (1,)}, "which no tensor has"),
        ({"shape": (1,) * 40, "strides": (1,) * 40}, "makes a tensor from a tuple"),
        ({"shape": ("2",), "strides": (1,)}, "makes a tensor from a tuple: a storage and sizes were expected"),
        ({"shape": [2], "strides": (1,)}, "makes a tensor from a tuple"),
        ({"shape": (2,), "strides": (1,), "kind": Named("torch FooStorage")}, "names 'torch.FooStorage', which is no"),
        ({"shape": (2,), "strides": (1,), "count": -1}, "refers to a tuple outside of it, which is no storage"),
        ({"shape": (2,), "strides": (1,), "count": 10**18}, "the file ends after .* bytes, and storage '0' at"),
        ({"shape": (2,), "strides": (1,), "count": 11}, "storage '0' has 12 values, and its tensor tells of 11"),
    ],
)
def test_tensor_outside_of_its_storage_is_refused(tensor: dict[str, Any], message: str) -> None:
    with pytest.raises(ComponentError, match=rf"^a file: .*{message}"):
        read_tensors(_file({"x": _tensor(**tensor)}), "a file")


class Attack:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.file}",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_program_is_refused_and_not_executed(protocol: int, tmp_path: Path) -> None:
    program = pickle.dumps(OrderedDict(x=Attack(tmp_path / "made")), protocol=protocol)
    with pytest.raises(
        ComponentError, match=r"^a file: the pickle (names 'posix.system'|has the instruction [A-Z_]+,)"
    ):
        read_tensors(_whole(program), "a file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"x": Called((FLOATS, (1,)))}, "calls torch.FloatStorage with a tuple"),
        ({"x": Called((Named("collections OrderedDict"), (("a", 1),)))}, "calls collections.OrderedDict with a tuple"),
        ({"x": Called((1, ()))}, r"calls 1 with a tuple"),
        ({"x": Called((REBUILD, (1, 2)))}, "makes a tensor from a tuple"),
        ({"x": EMPTY}, "'x' is a dict, not a tensor"),
        ({"x": "y"}, "'x' is 'y', not a tensor"),
        ({"x": Stored(("module", "torch.nn", "Linear"))}, "refers to a tuple outside of it"),
        ({"x": []}, "'x' is a list, not a tensor"),
        ({1: 2}, "sets items whose names are no text"),
        ("x", "holds 'x' instead of tensors by name"),
    ],
)
def test_what_is_no_tensor_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ComponentError, match=message):
        read_tensors(_whole(_pickle(value), keys=()), "a file")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"\x80\x02.", "ends with 0 values instead of one"),
        (b"\x80\x02NN.", "ends with 2 values instead of one"),
        (b"\x80\x02(N.", "ends with 1 values"),
        (b"\x80\x02t.", "goes back to a mark that it has not set"),
        (b"\x80\x02N(0.", "instruction POP"),
        (b"\x80\x02Nq\x00h\x01.", "asks for value 1, which it has not made"),
        (b"\x80\x02\x85.", "takes a value from an empty stack"),
        (b"\x80\x02NNs.", "takes a value from an empty stack|no text"),
        (b"\x80\x02N(NNe.", "adds to None as if it were a list"),
        (b"\x80\x02cposix\nsystem\n.", "names 'posix.system'"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "cannot be read"),
        (b"\x80\x02\xf0.", "cannot be read"),
        (b"\x80\x02}" + b"}" * MAX_INSTRUCTIONS + b".", "more than 200,000 instructions"),
    ],
)
def test_program_that_makes_no_sense_is_refused(program: bytes, message: str) -> None:
    with pytest.raises(ComponentError, match=message):
        read_tensors(b"".join(HEADER) + program + pickle.dumps([], protocol=2), "a file")


def test_every_truncated_file_is_refused() -> None:
    whole = _file({"x": _tensor((3, 4), (4, 1)), "y": _tensor((2,), (1,))})
    read_tensors(whole, "a file")
    for length in range(len(whole)):
        with pytest.raises(ComponentError, match=r"^a file: .*Expected are tensors by name"):
            read_tensors(whole[:length], "a file")


def test_no_changed_byte_ends_in_anything_but_tensors_or_a_refusal() -> None:
    whole = _file({"x": _tensor((3, 4), (4, 1)), "y": _tensor((2,), (1,))})
    random = np.random.default_rng(0)
    for position in range(len(whole)):
        for value in random.integers(0, 256, 8):
            changed = whole[:position] + bytes([value]) + whole[position + 1 :]
            try:
                tensors = read_tensors(changed, "a file")
            except ComponentError:
                continue
            assert all(np.array(tensor).size <= VALUES.nbytes for tensor in tensors.values())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cannot be read"),
        (b"PK\x03\x04" + bytes(100), "is a zip, the format of PyTorch since version 1.6"),
        (pickle.dumps({"x": 1}, protocol=2), "begins with a dict, not with PyTorch's magic number"),
        (b"\x89HDF\r\n" + bytes(100), "cannot be read"),
        (HEADER[0] + pickle.dumps(1002, 2), "the protocol is 1002, not 1001"),
        (HEADER[0] + HEADER[1] + pickle.dumps({"little_endian": False}, 2), "numbers are little-endian"),
    ],
)
def test_other_formats_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(ComponentError, match=message):
        read_tensors(data, "a file")


def test_storages_that_do_not_match_the_tensors_are_refused() -> None:
    for keys in (["1"], ["0", "1"], ["0", "0"], [0]):
        with pytest.raises(
            ComponentError,
            match=r"storages that the file lists are not the 1 of its tensors|list of storages is no list of keys",
        ):
            read_tensors(_file({"x": _tensor((2,), (1,))}, keys=keys), "a file")
    with pytest.raises(ComponentError, match="3 bytes follow the last storage"):
        read_tensors(_file({"x": _tensor((2,), (1,))}) + b"abc", "a file")
    with pytest.raises(ComponentError, match="storage '0' is named with two types or two sizes"):
        read_tensors(_file({"x": _tensor((2,), (1,)), "y": _tensor((2,), (1,), count=2)}), "a file")


def _tensor(shape: Any, strides: Any, offset: Any = 0, kind: Named = FLOATS, count: Any = 12) -> Called:
    storage = Stored(("storage", kind, "0", "cpu", count, None))
    return Called((REBUILD, (storage, offset, shape, strides, False, EMPTY)))


def _file(value: Any, values: np.ndarray = VALUES, keys: Any = ("0",)) -> bytes:
    """A file with one storage, whatever its tensors say of it."""
    return _whole(_pickle(value), values, keys)


def _whole(program: bytes, values: np.ndarray = VALUES, keys: Any = ("0",)) -> bytes:
    listed = pickle.dumps(list(keys), protocol=2)
    storage = struct.pack("<q", values.size) + values.tobytes() if keys else b""
    return b"".join([*HEADER, program, listed, storage])


def _pickle(value: Any) -> bytes:
    """As `torch.save` writes it: protocol 2, without needing what the names stand for."""
    return b"\x80\x02" + _instructions(value) + b"."


def _instructions(value: Any) -> bytes:
    if isinstance(value, Named):
        module, name = value.split(" ")
        return f"c{module}\n{name}\n".encode()
    if isinstance(value, Called):
        return b"".join(map(_instructions, value)) + b"R"
    if isinstance(value, Stored):
        return _instructions(tuple(value)) + b"Q"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_instructions, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(_instructions, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(map(_instructions, [each for item in value.items() for each in item])) + b"u"
    return pickle.dumps(value, protocol=2)[2:-1]
