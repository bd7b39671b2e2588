"""Small copies of the photos of a finding, for the page."""

from __future__ import annotations

import io
from pathlib import Path

from components.images.photos import UnreadableError, read_photo
from pipeline.web.requests import RefusedError

LARGEST_SIDE_PIXELS = 1024
SHORTER_SIDE_PIXELS = 768  # what is decoded: a decoder of JPEG scales by itself
MAX_PIXELS = 179_000_000
LOSSLESS_PIXELS = 256  # of the larger side


def small_copy(path: Path) -> tuple[bytes, str]:
    """Returns a photo upright, with at most 1,024 pixels a side, and its media type. It has no metadata.

    Raises RefusedError if the file gives no image.
    """
    try:
        pixels = read_photo(path, max_pixels=MAX_PIXELS, shorter_side_pixels=SHORTER_SIDE_PIXELS).pixels
    except UnreadableError as error:
        raise RefusedError(404, f"This photo cannot be shown: {str(error).rstrip('.')}.") from None
    pixels.thumbnail((LARGEST_SIDE_PIXELS, LARGEST_SIDE_PIXELS))
    pixels.info = {}
    format_ = "PNG" if max(pixels.size) <= LOSSLESS_PIXELS else "JPEG"
    data = io.BytesIO()
    pixels.save(data, format_, quality=88)
    return data.getvalue(), f"image/{format_.lower()}"
