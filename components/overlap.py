"""Whether a published version learned from images that a model is blessed with now."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import ValidationError

from components.artifacts import Examples
from components.dataset_reader import shard_spans
from components.registry.versions import Version


def examples_of(version: Version, root: Path) -> Examples | None:
    """What the version was made of; None where that is no longer here."""
    try:
        return Examples.read(root / version.examples)
    except (OSError, ValidationError):
        return None


def saw_test_images(old: Examples | None, examples: Examples) -> bool:
    """Whether what is to bless with now was trained or tuned on then. Only of the same data can that be told."""
    if old is None or old.content != examples.content:
        return False
    test = shard_spans(examples, "test", sys.maxsize)
    then = examples.model_copy(update={"splits": old.splits})
    used = [span for split in old.splits if split != "test" for span in shard_spans(then, split, sys.maxsize)]
    return any(own.overlaps(span) for own in test for span in used)
