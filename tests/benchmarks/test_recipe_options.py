from __future__ import annotations

from typing import Any

import pytest

from benchmarks.recipe_options import config_of, parse_changes


def test_values_are_json() -> None:
    assert parse_changes(["epochs=2", 'flip="none"', "widths=[8,8,8]"]) == {
        "epochs": 2,
        "flip": "none",
        "widths": [8, 8, 8],
    }


@pytest.mark.parametrize(
    ("recipe", "changes", "reason"),
    [
        ("cifar82", {}, "unknown recipe 'cifar82'; there are: .*cifar81"),
        ("transfer", {}, "The recipe transfer starts from stored features"),
        ("auto", {}, "The recipe auto starts from stored features"),
        ("cifar81", {"epoch": 2}, "epoch"),
        ("cifar81", {"early_stopping_patience_epochs": 2}, "needs a validation split"),
    ],
)
def test_what_cannot_be_followed_is_refused_at_once(recipe: str, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SystemExit, match=reason):
        config_of(recipe, changes)
