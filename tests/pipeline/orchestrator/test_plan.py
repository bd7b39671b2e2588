"""Which differences a plan names. What it looks up is tested with the runners."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.orchestrator.plan import differences
from pipeline.store.manifest import Identity

AUTO = {"recipe": "auto", "image_size_pixels": None, "random_seed": 0}
NAMED = {"recipe": "transfer", "image_size_pixels": 224, "random_seed": 0, "epochs": 0.0, "optimizer": "adam"}


def train(config: dict[str, Any]) -> Identity:
    return Identity(component="train", config=config, code={}, libraries={}, inputs={}, fingerprint="")


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        (AUTO, NAMED, ["config: image_size_pixels None → 224", "config: recipe auto → transfer"]),
        (NAMED, AUTO, ["config: image_size_pixels 224 → None", "config: recipe transfer → auto"]),
        (NAMED, {**NAMED, "epochs": 3.0}, ["config: epochs 0.0 → 3.0"]),
        ({"a": {"b": None}, "c": 1}, {"a": {"b": {"min": 0}}, "c": 2}, ["config: a.b.min None → 0", "config: c 1 → 2"]),
        ({"a": 1}, {"a": 1, "new": 2}, ["config: new None → 2"]),
    ],
)
def test_keys_that_come_with_another_value_are_not_named(
    old: dict[str, Any], new: dict[str, Any], reasons: list[str]
) -> None:
    assert differences(train(old), train(new), "the source") == reasons
