"""Makes exports deterministic: the same training gives the same SavedModel to the byte, in whatever process."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

# TensorFlow numbers the functions, loops, branches and captured tensors of a process as it makes them, so a resumed
# training has other numbers.
_NUMBERED = re.compile(r"(\A__inference_.*_|_(?:body|cond|true|false)_)(\d+)(?=\Z|___redundant_)", re.DOTALL)
_ONLY_A_NUMBER = re.compile(r"\A()(\d+)\Z")  # in an attribute's field `s`, it names a captured tensor

Text = TypeVar("Text", str, bytes)
Renumber = Callable[[re.Match[str]], str]


def make_deterministic(folder: Path) -> None:
    """Renumbers from 0 what TensorFlow numbered in the SavedModel in `folder`, in the order in which it was made."""
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    numbers: set[int] = set()

    def collect(name: re.Match[str]) -> str:
        numbers.add(int(name[2]))
        return name[0]

    _rename(saved, collect)
    ranks = {number: rank for rank, number in enumerate(sorted(numbers))}
    _rename(saved, lambda name: f"{name[1]}{ranks[int(name[2])]}")
    for meta_graph in saved.meta_graphs:
        for node in [*meta_graph.graph_def.node, *_function_nodes(meta_graph)]:
            node.attr.pop("config_proto", None)  # describes this process, such as its number among the workers
        functions = sorted(meta_graph.graph_def.library.function, key=lambda function: function.signature.name)
        del meta_graph.graph_def.library.function[:]
        meta_graph.graph_def.library.function.extend(functions)
    path.write_bytes(saved.SerializeToString(deterministic=True))
    # It holds a random number that nothing reads.
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def _function_nodes(meta_graph: meta_graph_pb2.MetaGraphDef) -> Iterator[node_def_pb2.NodeDef]:
    return (node for function in meta_graph.graph_def.library.function for node in function.node_def)


def _rename(message: Message, renumber: Renumber) -> None:
    """Renumbers every text in a message and below it. Through text format it takes eight times as long."""
    for field, value in message.ListFields():
        holds_messages = field.message_type is not None
        if holds_messages and field.message_type.GetOptions().map_entry:
            _rename_entries(value, field.message_type.fields_by_name["value"], renumber)
        elif holds_messages:
            for part in value if field.is_repeated else (value,):
                _rename(part, renumber)
        elif field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            if field.is_repeated:
                value[:] = [_renumbered(text, field.name, renumber) for text in value]
            else:
                setattr(message, field.name, _renumbered(value, field.name, renumber))


def _rename_entries(entries: MutableMapping[Any, Any], values: FieldDescriptor, renumber: Renumber) -> None:
    """Renumbers the keys and the values of a map."""
    for key in list(entries):
        if values.message_type is not None:
            _rename(entries[key], renumber)
        elif isinstance(entries[key], (str, bytes)):
            entries[key] = _renumbered(entries[key], values.name, renumber)
    renamed = {
        key: new for key in entries if isinstance(key, str) and (new := _renumbered(key, "key", renumber)) != key
    }
    moved = {new: copy.deepcopy(entries[key]) for key, new in renamed.items()}
    for key in renamed:
        del entries[key]
    for key, value in moved.items():
        if values.message_type is not None:
            entries[key].CopyFrom(value)
        else:
            entries[key] = value


def _renumbered(text: Text, field: str, renumber: Renumber) -> Text:
    if isinstance(text, bytes):
        return _renumbered(text.decode("latin-1"), field, renumber).encode("latin-1")
    return (_ONLY_A_NUMBER if field == "s" and text.isdecimal() else _NUMBERED).sub(renumber, text)
