"""Hands on what is known of a folder's photos before they are read to whoever assembles them, in a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from components.files import write_whole

_NAME = ".plan.json"


@dataclass(frozen=True)
class PhotoPlan:
    """What the plan found besides the files that are read."""

    source: Path  # a folder or a manifest
    folder: Path  # that the files' names are relative to: the source, or the manifest's folder
    class_names: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]  # (relative path, reason)
    corrections: dict[str, int]  # as in Examples
    bursts: int  # as in Examples
    cut_bursts: int  # as in Examples

    @property
    def name(self) -> str:
        """The source's name, a manifest's without its suffix."""
        return self.source.name if self.source == self.folder else self.source.stem

    def write(self, folder: Path) -> Path:
        """Writes the plan into the folder of the spans, and returns its file."""
        fields = [self.class_names, self.left_out, self.corrections, self.bursts, self.cut_bursts]
        path = folder / _NAME
        write_whole(path, json.dumps([str(self.source), str(self.folder), *fields]))
        return path

    @classmethod
    def read(cls, folder: Path) -> PhotoPlan:
        """Reads the plan. Raises OSError if it is gone."""
        source, base, class_names, left_out, *found = json.loads((folder / _NAME).read_bytes())
        left_out = tuple((file, reason) for file, reason in left_out)
        return cls(Path(source), Path(base), tuple(class_names), left_out, *found)
