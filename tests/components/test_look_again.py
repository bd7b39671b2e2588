from __future__ import annotations

import pytest

from components.look_again import LOOKS, look_again
from components.storage_requests import ObjectChangedError


@pytest.mark.parametrize("changes", [0, 1, LOOKS - 1])
def test_what_changes_meanwhile_is_looked_at_again(changes: int) -> None:
    looks: list[int] = []

    def look() -> str:
        looks.append(1)
        if len(looks) <= changes:
            raise ObjectChangedError("changed")
        return "seen"

    assert look_again(look) == "seen"
    assert len(looks) == changes + 1


def test_what_never_rests_is_an_error() -> None:
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        raise ObjectChangedError("changed")

    with pytest.raises(ObjectChangedError):
        look_again(look)
    assert len(looks) == LOOKS
