"""The same training gives the same SavedModel to the byte, whatever its process did before."""

from __future__ import annotations

import re
from pathlib import Path

from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

# TensorFlow numbers the functions of a process as it makes them: a resumed training's have other numbers.
_FUNCTION_NAME = re.compile(r'"(__inference_[^"]*_)(\d+)"')


def make_canonical(folder: Path) -> None:
    """Numbers the functions of the SavedModel in `folder` from 0, in the order in which they were made."""
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    text = text_format.MessageToString(saved)
    numbers = sorted({int(number) for _, number in _FUNCTION_NAME.findall(text)})
    ranks = {str(number): rank for rank, number in enumerate(numbers)}
    text = _FUNCTION_NAME.sub(lambda name: f'"{name[1]}{ranks[name[2]]}"', text)
    renamed = text_format.Parse(text, saved_model_pb2.SavedModel())
    for meta_graph in renamed.meta_graphs:
        functions = sorted(meta_graph.graph_def.library.function, key=lambda function: function.signature.name)
        del meta_graph.graph_def.library.function[:]
        meta_graph.graph_def.library.function.extend(functions)
    path.write_bytes(renamed.SerializeToString(deterministic=True))
    # A random number that nothing reads.
    (folder / "fingerprint.pb").unlink(missing_ok=True)
