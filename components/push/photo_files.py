"""Writes an image as a file that a photo may come in: stored sideways, transparent, or with margins."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from components.images.exif import ORIENTATION

# By EXIF's orientation: what makes of an image the one that is stored. The decoder does the reverse.
_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
KINDS = 4 + len(_STORED)


def photo_file(image: np.ndarray, kind: int) -> bytes:
    """Writes uint8 (height, width, 3), RGB, as a PNG file of a kind from 0 to KINDS - 1.

    Whoever turns it as EXIF says, lays it on white, and cuts out the largest centered window of the image's aspect
    ratio gets the very same image.
    """
    if kind == 0:
        return _png(Image.fromarray(image))
    if kind == 1:
        return _png(Image.fromarray(as_transparent(image)))
    if kind in (2, 3):
        return _png(Image.fromarray(_with_margins(image, axis=kind - 2)))
    orientation = kind - 2
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return _png(Image.fromarray(image).transpose(_STORED[orientation]), exif=exif)


def as_transparent(image: np.ndarray) -> np.ndarray:
    """Returns uint8 (height, width, 4), as transparent as can be, that gives the image once it is laid on white."""
    opacity = 255 - image.min(axis=-1, keepdims=True).astype(np.int32)
    colors = (image.astype(np.int32) - (255 - opacity)) * 255 / np.maximum(opacity, 1)
    return np.concatenate([np.rint(colors), opacity], axis=-1).astype(np.uint8)


def _with_margins(image: np.ndarray, axis: int) -> np.ndarray:
    """Adds black margins of a pixel or more at both ends of an axis, so that the image is wider or higher."""
    margin = 1 + image.shape[axis] // 4
    return np.pad(image, [(margin, margin) if axis == each else (0, 0) for each in range(3)])


def _png(image: Image.Image, exif: Image.Exif | None = None) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=0, **({} if exif is None else {"exif": exif}))
    return file.getvalue()
