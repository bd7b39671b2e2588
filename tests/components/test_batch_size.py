from __future__ import annotations

from components.batch_size import MAX_BATCH_PIXELS, max_batch_size


def test_large_images_are_computed_a_few_at_a_time() -> None:
    assert max_batch_size(32, 32, 250) == 250
    assert max_batch_size(224, 224, 250) == MAX_BATCH_PIXELS // 224**2 == 10
    assert max_batch_size(8000, 6000, 250) == 1
