"""Finds the published version that a model is compared with, if there is one."""

from __future__ import annotations

from typing import NamedTuple

from components.artifacts import Examples, Model
from components.component import ComponentError, Workspace
from components.overlap import examples_of, saw_test_images
from components.registry.layout import pushed_folder
from components.registry.versions import Version, find_model, split_baselines

_SEEN = " (which learned from images of this split)"


class Comparison(NamedTuple):
    """The baseline, if there is one, and the words for it in the gate's reasons."""

    version: Version | None
    words: str  # "version 3", or why there is none
    contenders: int = 1  # number of published versions, itself included, that chance may have made the best


def find_baseline(workspace: Workspace, examples: Examples, model: Model) -> Comparison:
    """Returns the version, of the model's classes, that the evaluation's fingerprint names.

    Versions that are published meanwhile change nothing. Raises ComponentError if the baseline was removed meanwhile.
    """
    pushed, contenders = pushed_folder(workspace.root), split_baselines(workspace.fingerprint)
    if not contenders:
        return Comparison(None, "no version was published before this model")
    there = {digest: version for digest in contenders if (version := find_model(pushed, digest)) is not None}
    for digest, version in there.items():
        if version.class_names == model.class_names:
            seen = saw_test_images(examples_of(version, workspace.root), examples)
            return Comparison(version, f"version {version.number}" + (_SEEN if seen else ""), contenders[digest])
    gone = [digest for digest in contenders if digest not in there]
    if not gone:
        return Comparison(None, "all published versions tell other classes apart")
    if model.digest and find_model(pushed, model.digest) is not None:
        return Comparison(None, "it is published, and the version that it was compared with before is no longer there")
    raise ComponentError(
        f"The published version that this model is to be compared with (of the model {gone[0][:12]}) was there when "
        f"the evaluation began, and is no longer in {pushed}: it was rolled back or removed. Run again, to compare "
        "with the version that is the best now."
    )
