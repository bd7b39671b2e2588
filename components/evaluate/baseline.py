"""Which published version a model is compared with, if any, and how that is said."""

from __future__ import annotations

from typing import NamedTuple

from components.artifacts import Model
from components.component import Workspace
from components.published import Version, find_model


class Comparison(NamedTuple):
    """What to compare with."""

    version: Version | None
    words: str  # "version 3", or why there is none


def find_baseline(workspace: Workspace, model: Model) -> Comparison:
    """The version that the work's fingerprint names: a version that is published meanwhile changes nothing."""
    if not workspace.fingerprint:
        return Comparison(None, "no version was published before this model")
    version = find_model(workspace.root / "pushed", workspace.fingerprint)
    if version is None:
        return Comparison(None, "the version that was the best is no longer there")
    if version.class_names != model.class_names:
        return Comparison(None, f"version {version.number} tells other classes apart")
    return Comparison(version, f"version {version.number}")
