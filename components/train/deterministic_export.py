"""Makes exports deterministic: the same training gives the same SavedModel to the byte, in whatever process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import text_format
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

# TensorFlow numbers the functions, loops, branches and captured tensors of a process as it makes them, so a resumed
# training has other numbers. A text that is only a number is an attribute that names a captured tensor.
_NUMBERED = re.compile(r'("__inference_[^"]*_|_(?:body|cond|true|false)_|\bs: ")(\d+)(?="|___redundant_)')


def make_deterministic(folder: Path) -> None:
    """Renumbers from 0 what TensorFlow numbered in the SavedModel in `folder`, in the order in which it was made."""
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    text = text_format.MessageToString(saved)
    numbers = sorted({int(number) for _, number in _NUMBERED.findall(text)})
    ranks = {str(number): rank for rank, number in enumerate(numbers)}
    text = _NUMBERED.sub(lambda name: f"{name[1]}{ranks[name[2]]}", text)
    renamed = text_format.Parse(text, saved_model_pb2.SavedModel())
    for meta_graph in renamed.meta_graphs:
        for node in [*meta_graph.graph_def.node, *_function_nodes(meta_graph)]:
            node.attr.pop("config_proto", None)  # describes this process, such as its number among the workers
        functions = sorted(meta_graph.graph_def.library.function, key=lambda function: function.signature.name)
        del meta_graph.graph_def.library.function[:]
        meta_graph.graph_def.library.function.extend(functions)
    path.write_bytes(renamed.SerializeToString(deterministic=True))
    # It holds a random number that nothing reads.
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def _function_nodes(meta_graph: meta_graph_pb2.MetaGraphDef) -> Iterator[node_def_pb2.NodeDef]:
    return (node for function in meta_graph.graph_def.library.function for node in function.node_def)
