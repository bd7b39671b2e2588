"""Batches hold every image once, in order, and fewer images the larger these are."""

from __future__ import annotations

import numpy as np
import pytest

from components.push.batches import batches


@pytest.mark.parametrize(("side", "count"), [(32, 100), (128, 16), (224, 5), (513, 1), (2000, 1)])
def test_large_images_come_in_small_batches(side: int, count: int) -> None:
    images = np.broadcast_to(np.uint8(0), (101, side, side, 3))
    assert {len(batch) for batch in batches(images)} <= {count, 101 % count}
    assert len(next(iter(batches(images)))) == count


def test_every_image_once_and_in_order() -> None:
    images = np.arange(250 * 48, dtype=np.uint16).reshape(250, 4, 4, 3)
    np.testing.assert_array_equal(np.concatenate([*batches(images)]), images)
