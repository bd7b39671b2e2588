"""Follows the few instructions of a pickle that make a dictionary of tensors.

A pickle is a program. Python's own reader imports and calls what the program names; here its instructions are read one
by one, and nothing is ever imported or called.
"""

from __future__ import annotations

import io
import pickletools
from dataclasses import dataclass, field
from typing import Any

MAX_INSTRUCTIONS = 200_000  # in one pickle; EfficientNet-Lite2 has 14,000
MAX_RANK = 8  # of a tensor
ORDERED_DICT = "collections OrderedDict"
TENSOR = "torch._utils _rebuild_tensor_v2"
STORAGE_TYPES = {
    "torch ByteStorage": "u1",
    "torch CharStorage": "i1",
    "torch DoubleStorage": "<f8",
    "torch FloatStorage": "<f4",
    "torch HalfStorage": "<f2",
    "torch IntStorage": "<i4",
    "torch LongStorage": "<i8",
    "torch ShortStorage": "<i2",
}


class RefusedError(Exception):
    """What is wrong with the file, as a sentence without its end."""


@dataclass(frozen=True)
class Global:
    """A name that the pickle imports."""

    name: str  # the module and the name in it, with a blank between


@dataclass(frozen=True)
class Storage:
    """The values behind one or several tensors, which the pickle refers to."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage, not checked."""

    storage: Storage
    offset: int  # this, the shape and the strides count values, not bytes
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def follow(stream: io.BytesIO) -> Program:
    """Follows one pickle, and leaves the stream behind its end."""
    program = Program()
    start = stream.tell()
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if number >= MAX_INSTRUCTIONS:
                raise RefusedError(f"the pickle at byte {start} has more than {MAX_INSTRUCTIONS:,} instructions")
            program.follow(opcode.name, argument)
    except ValueError as error:  # of pickletools
        raise RefusedError(f"the pickle at byte {start} cannot be read ({error})") from error
    return program


@dataclass
class Program:
    """A pickle at work: a stack of values, and what it remembers by number."""

    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)

    @property
    def value(self) -> Any:
        """The value that the finished pickle stands for."""
        return self.stack[0]

    def follow(self, instruction: str, argument: Any) -> None:
        """Follows one instruction, by its name in `pickletools`."""
        if instruction in ("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"):
            self.stack.append(argument)
        elif instruction in CONSTANTS:
            self.stack.append(CONSTANTS[instruction])
        elif instruction in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self._top()
        elif instruction in ("BINGET", "LONG_BINGET"):
            if argument not in self.memo:
                raise RefusedError(f"the pickle asks for value {argument}, which it has not made")
            self.stack.append(self.memo[argument])
        elif instruction == "GLOBAL":
            self.stack.append(_known(argument))
        elif instruction in STEPS:
            STEPS[instruction](self)
        elif instruction != "PROTO":
            raise RefusedError(f"the pickle has the instruction {instruction}, which no dictionary of tensors needs")

    def mark(self) -> None:
        """Remembers the height of the stack."""
        self.marks.append(len(self.stack))

    def reduce(self) -> None:
        """Makes what a call of a known function would give."""
        arguments, function = self._pop(), self._pop()
        if function == Global(ORDERED_DICT) and arguments == ():
            self.stack.append({})
        elif function == Global(TENSOR):
            self.stack.append(_tensor(arguments))
        else:
            raise RefusedError(f"the pickle calls {shown(function)} with {shown(arguments)}")

    def persistent(self) -> None:
        """Notes a storage."""
        storage = _storage(self._pop())
        if self.storages.setdefault(storage.key, storage) != storage:
            raise RefusedError(f"storage {storage.key!r} is named with two types or two sizes")
        self.stack.append(storage)

    def build(self) -> None:
        """Drops the attributes of a dictionary: PyTorch keeps versions of layers there."""
        self._pop()
        self._require(dict)

    def append(self, items: list[Any]) -> None:
        """Appends the values to the list at the top."""
        self._require(list).extend(items)

    def set_items(self, items: list[Any]) -> None:
        """Sets names and values, in turn, in the dictionary at the top."""
        if len(items) % 2 or not all(isinstance(name, str) for name in items[::2]):
            raise RefusedError("the pickle sets items whose names are no text")
        self._require(dict).update(zip(items[::2], items[1::2], strict=True))

    def pack(self, items: list[Any]) -> None:
        """Makes a tuple of the values."""
        self.stack.append(tuple(items))

    def stop(self) -> None:
        """Requires that one value is left."""
        if len(self.stack) != 1 or self.marks:
            raise RefusedError(f"the pickle ends with {len(self.stack)} values instead of one")

    def _above_mark(self) -> list[Any]:
        if not self.marks or self.marks[-1] > len(self.stack):
            raise RefusedError("the pickle goes back to a mark that it has not set")
        height = self.marks.pop()
        items = self.stack[height:]
        del self.stack[height:]
        return items

    def _topmost(self, count: int) -> list[Any]:
        return [self._pop() for _ in range(count)][::-1]

    def _top(self) -> Any:
        if not self.stack:
            raise RefusedError("the pickle takes a value from an empty stack")
        return self.stack[-1]

    def _pop(self) -> Any:
        self._top()
        return self.stack.pop()

    def _require(self, kind: type) -> Any:
        if not isinstance(top := self._top(), kind):
            raise RefusedError(f"the pickle adds to {shown(top)} as if it were a {kind.__name__}")
        return top


CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
STEPS = {
    "APPEND": lambda program: program.append(program._topmost(1)),
    "APPENDS": lambda program: program.append(program._above_mark()),
    "BINPERSID": Program.persistent,
    "BUILD": Program.build,
    "EMPTY_DICT": lambda program: program.stack.append({}),
    "EMPTY_LIST": lambda program: program.stack.append([]),
    "MARK": Program.mark,
    "REDUCE": Program.reduce,
    "SETITEM": lambda program: program.set_items(program._topmost(2)),
    "SETITEMS": lambda program: program.set_items(program._above_mark()),
    "STOP": Program.stop,
    "TUPLE": lambda program: program.pack(program._above_mark()),
    "TUPLE1": lambda program: program.pack(program._topmost(1)),
    "TUPLE2": lambda program: program.pack(program._topmost(2)),
    "TUPLE3": lambda program: program.pack(program._topmost(3)),
}


def _known(name: str) -> Global:
    if name not in (ORDERED_DICT, TENSOR, *STORAGE_TYPES):
        raise RefusedError(f"the pickle names {name.replace(' ', '.')!r}, which is no part of a tensor")
    return Global(name)


def _storage(reference: Any) -> Storage:
    """Reads ("storage", type, key, device, count, None)."""
    if isinstance(reference, tuple) and len(reference) == 6:
        word, kind, key, _, count, view = reference
        known = isinstance(kind, Global) and kind.name in STORAGE_TYPES
        if word == "storage" and known and type(key) is str and type(count) is int and count >= 0 and view is None:
            return Storage(STORAGE_TYPES[kind.name], key, count)
    raise RefusedError(f"the pickle refers to {shown(reference)} outside of it, which is no storage known here")


def _tensor(arguments: Any) -> Tensor:
    """Reads (storage, offset, shape, strides, requires_grad, backward hooks)."""
    if isinstance(arguments, tuple) and len(arguments) == 6:
        storage, offset, shape, strides = arguments[:4]
        sizes = _sizes(shape) and _sizes(strides) and type(offset) is int
        if isinstance(storage, Storage) and sizes:
            return Tensor(storage, offset, shape, strides)
    raise RefusedError(f"the pickle makes a tensor from {shown(arguments)}: a storage and sizes were expected")


def _sizes(value: Any) -> bool:
    """Returns whether the value is a tuple of a few integers. Others may be long, and shared by many tensors."""
    return isinstance(value, tuple) and len(value) <= MAX_RANK and all(type(size) is int for size in value)


def shown(value: Any) -> str:
    """Returns a short text, whatever a file may hold."""
    if isinstance(value, Global):
        return value.name.replace(" ", ".")
    return repr(value)[:80] if isinstance(value, (int, str, type(None))) else f"a {type(value).__name__.strip('_')}"
