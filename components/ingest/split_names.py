"""Knows the names that people give to splits, and the one under which each is stored."""

from __future__ import annotations

_STORED_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
}
ADDED = "added_in_review"  # the stored split of photos from elsewhere that people have labeled: a part of train
ACCEPTED = ", ".join(_STORED_NAMES)  # for messages


def split_name(name: str) -> str | None:
    """Returns "train", "validation" or "test" for a name such as "Val", in any case; None if it names no split."""
    return _STORED_NAMES.get(name.strip().lower())
