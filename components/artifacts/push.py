"""Defines Push, the published version."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from components.artifacts.artifact import Artifact


class Push(Artifact):
    """One published version, or the reasons why nothing was published. The published files lie in `version_directory`.

    <pushed>/<version>/           a TensorFlow Serving model folder (saved_model.pb, variables/, ...), and in it
    <pushed>/<version>/assets.extra/   Classifier.mlpackage, provenance.json: what serving ignores
    """

    PLACES: ClassVar[tuple[str, ...]] = ("version_directory",)

    version: int | None
    reasons: tuple[str, ...] = ()  # why nothing was published; empty if something was
    version_directory: Path | None = None
    # By exported file, from the evaluated predictions.
    max_probability_difference: dict[str, float] = Field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Returns the number of the version, or None, and the reasons why nothing was published."""
        return {"version": self.version, "reasons": list(self.reasons)}
