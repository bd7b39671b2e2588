"""Packs what travels to a worker on another machine: of a path, only the name below something known travels.

Every machine has the pipeline root, the inputs, and data outside of it, at paths of its own. These are the anchors.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = "root"  # the anchor of a pipeline root

Anchors = Mapping[str, Path]  # the paths of this machine, by name; of several that a path is below, the first counts


def pack(value: Any, anchors: Anchors) -> bytes:
    """Returns a pickle of the value, with the paths below anchors replaced by their names."""
    data = io.BytesIO()
    _Packer(data, anchors).dump(value)
    return data.getvalue()


def unpack(data: bytes, find: Callable[[str], Path], bring: Callable[[str], None]) -> Any:
    """Returns the value, with paths of this machine.

    Args:
        data: what `pack` has returned.
        find: returns the path of an anchor on this machine.
        bring: gets the name of each path that is below the root.
    """
    return _Unpacker(io.BytesIO(data), find, bring).load()


class _Packer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, anchors: Anchors) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._anchors = anchors

    def persistent_id(self, value: Any) -> tuple[str, str] | None:
        if not isinstance(value, Path):
            return None
        below = (name for name, anchor in self._anchors.items() if value.is_relative_to(anchor))
        name = next(below, None)
        return None if name is None else (name, value.relative_to(self._anchors[name]).as_posix())


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, find: Callable[[str], Path], bring: Callable[[str], None]) -> None:
        super().__init__(file)
        self._find, self._bring = find, bring

    def persistent_load(self, reference: tuple[str, str]) -> Path:
        anchor, name = reference
        if anchor == ROOT:
            self._bring(name)
        return self._find(anchor) / name
