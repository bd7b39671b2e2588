"""Draws an image anew as a small file for a page, without the metadata of the photo that it came from."""

from __future__ import annotations

import base64
import io
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

LARGEST_SIDE_PIXELS = 112
LOSSLESS_SIDE_PIXELS = 64  # larger images are encoded as JPEG
JPEG_QUALITY = 82


class SmallPicture(NamedTuple):
    """One image for a page: the bytes of its file, and its size."""

    data: bytes
    format: Literal["png", "jpeg"]
    width: int  # pixels
    height: int

    @property
    def uri(self) -> str:
        """The picture as a data URI, for a page that loads nothing."""
        return f"data:image/{self.format};base64,{base64.b64encode(self.data).decode()}"


def encode(pixels: np.ndarray) -> SmallPicture:
    """Returns an image, uint8 (height, width, 3), 0-255, RGB, as a small file.

    It is scaled down to at most 112 pixels a side, and encoded as PNG up to 64 pixels, else as JPEG.
    """
    image = Image.fromarray(pixels)
    image.thumbnail((LARGEST_SIDE_PIXELS, LARGEST_SIDE_PIXELS))
    format_: Literal["png", "jpeg"] = "png" if max(image.size) <= LOSSLESS_SIDE_PIXELS else "jpeg"
    file = io.BytesIO()
    image.save(file, format_, optimize=True, quality=JPEG_QUALITY)
    return SmallPicture(file.getvalue(), format_, *image.size)
