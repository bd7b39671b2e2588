"""Limits how many images a network takes at once, so that what it computes of them fits in memory at any image size."""

from __future__ import annotations

# The first layers of our networks hold up to about 100 numbers a pixel, of 4 bytes each: 200 MB at this limit. The
# process keeps them: TensorFlow never gives back what layers have taken on a processor.
MAX_BATCH_PIXELS = 1 << 19


def max_batch_size(image_height: int, image_width: int, most: int) -> int:
    """Returns the number of images of this size, in pixels, that are computed at once: `most`, or as many as fit."""
    return max(1, min(most, MAX_BATCH_PIXELS // (image_height * image_width)))
