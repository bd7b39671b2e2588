"""Copies of images as people and programs make them: each kind of change that near copies are found through."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Pixels = NDArray[np.uint8]


def _saved_again(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file).convert("RGB")


def _brightened(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: Image.fromarray(np.clip(np.asarray(image) * factor, 0, 255).astype(np.uint8))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved as JPEG": _saved_again,
    "scaled to 75 %": lambda image: image.resize((24, 24), Image.Resampling.BICUBIC),
    "cropped by 8 %": lambda image: image.crop((1, 3, 30, 32)),
    "mirrored": ImageOps.mirror,
    "15 % brighter": _brightened(1.15),
    "15 % darker": _brightened(0.85),
    "shifted by a pixel": lambda image: ImageOps.expand(image.crop((0, 0, 31, 32)), (1, 0, 0, 0)),
    "with a border": lambda image: ImageOps.expand(image, 2, "white"),
}


def changed(image: Pixels, change: str) -> Pixels:
    """Returns a copy of an image of 32 x 32 pixels, changed as `CHANGES` says."""
    return np.asarray(CHANGES[change](Image.fromarray(image)))
