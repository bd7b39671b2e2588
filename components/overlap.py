"""Finds out whether a published version was trained on images of the present test split."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import ValidationError

from components.artifacts import Examples
from components.dataset_reader import shard_spans
from components.registry.versions import Version


def examples_of(version: Version, root: Path) -> Examples | None:
    """Returns the Examples that the version was made of; None if they are no longer in the root."""
    try:
        return Examples.read(root / version.examples)
    except (OSError, ValidationError):
        return None


def saw_test_images(old: Examples | None, examples: Examples) -> bool:
    """Returns whether images of the present test split were trained or tuned on with the earlier splits.

    Only examples of the same content can be compared: the result is False if `old` is None or of other data.
    """
    if old is None or old.content != examples.content:
        return False
    test = shard_spans(examples, "test", sys.maxsize)
    then = examples.model_copy(update={"splits": old.splits})
    used = [span for split in old.splits if split != "test" for span in shard_spans(then, split, sys.maxsize)]
    return any(own.overlaps(span) for own in test for span in used)
