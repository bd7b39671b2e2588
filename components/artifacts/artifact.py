"""Defines what every artifact is: a folder with a document in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field

LOGS = "logs"  # a folder in an artifact for what is no part of its digest
AnyArtifact = TypeVar("AnyArtifact", bound="Artifact")
Bounds = tuple[float, float]  # low, high


class Document(BaseModel):
    """A frozen record that refuses unknown keys. Its JSON writes numbers that are not finite as "NaN" or "Infinity"."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Artifact(Document):
    """A folder with a document in it.

    `folder`, `digest` and the fields in `PLACES` say where the artifact is; they are no part of its document. The
    fields in `REMARKS` lie in a document in `logs/`: they tell people something, and change nothing downstream.
    """

    # Names of the fields that hold paths outside of the folder. They go into the manifest, not into the document or
    # the digest.
    PLACES: ClassVar[tuple[str, ...]] = ()
    REMARKS: ClassVar[tuple[str, ...]] = ()
    # A pattern for names of large files, which whoever reads them may fetch one by one; the artifact then has a field
    # `streamed` for them.
    STREAMED: ClassVar[str] = ""

    folder: Path = Field(exclude=True)
    digest: str = Field(default="", exclude=True)  # SHA-256 of the payload; empty until it is committed

    @classmethod
    def kind(cls) -> str:
        """Returns the artifact's kind: `examples` for `Examples`."""
        return cls.__name__.lower()

    @classmethod
    def document_name(cls) -> str:
        """Returns the name of the document: `examples.json` for `Examples`."""
        return f"{cls.kind()}.json"

    def write(self: AnyArtifact) -> AnyArtifact:
        """Writes the document into the folder, and returns the artifact."""
        text = self.model_dump_json(indent=1, exclude={*self.PLACES, *self.REMARKS})
        (self.folder / self.document_name()).write_text(text + "\n", encoding="utf-8")
        if any(getattr(self, name) for name in self.REMARKS):
            (self.folder / LOGS).mkdir(exist_ok=True)
            remarks = self.model_dump_json(indent=1, include=set(self.REMARKS))
            (self.folder / LOGS / self.document_name()).write_text(remarks + "\n", encoding="utf-8")
        return self

    @classmethod
    def read(cls: type[AnyArtifact], folder: Path, digest: str = "", **places: Path | None) -> AnyArtifact:
        """Returns the artifact that `write` left in `folder`. Raises FileNotFoundError if there is none."""
        document = json.loads((folder / cls.document_name()).read_bytes())
        logged = folder / LOGS / cls.document_name()
        remarks = json.loads(logged.read_bytes()) if cls.REMARKS and logged.exists() else {}
        return cls.model_validate({**document, **remarks, **places, "folder": folder, "digest": digest})

    def places(self) -> dict[str, Path]:
        """Returns the paths outside of the folder that this artifact cannot do without, by field name."""
        return {name: path for name in self.PLACES if (path := getattr(self, name)) is not None}

    def summary(self) -> dict[str, Any]:
        """Returns the few figures that a table of runs shows.

        Some keys have a meaning to the orchestrator, whichever component returns them: `blessed` (false: the run ends
        as not blessed), `accuracy`, `version` (the published version, or None) and `reasons` (why nothing was
        published).
        """
        return {}
