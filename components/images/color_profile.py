"""Converts the colors of an image to sRGB, by the ICC profile in its file."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image, ImageCms

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # Pillow's, by the color space that a profile is for
_SAME = 2  # levels of 255: a profile that changes every color by at most these is sRGB, up to rounding


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Converts an image of mode L, RGB or CMYK to RGB in sRGB. Images of other modes stay.

    Returns None if there is nothing to convert: the profile is sRGB's, for another kind of image, or damaged.
    """
    found = _transform(profile)
    if found is None:
        return None
    mode, transform = found
    if image.mode != mode and (image.mode, mode) != ("L", "RGB"):
        return None
    return transform.apply(image.convert(mode))


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """Returns the mode that the profile is for, and the transform to sRGB; threads may share it.

    The intent is relative colorimetric with black point compensation, as in browsers: colors that sRGB has stay what
    they are, white stays white, and black becomes black.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES[source.profile.xcolor_space.strip()]
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except Exception:  # Little CMS refuses damaged profiles in many ways
        return None
    samples = _samples(mode)
    plain, converted = (np.asarray(each, np.int16) for each in (samples.convert("RGB"), transform.apply(samples)))
    return None if np.abs(plain - converted).max() <= _SAME else (mode, transform)


def _samples(mode: str) -> Image.Image:
    """Returns an image of all grays, or of 16 levels of each channel with all others."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    channels = len(mode)
    levels = np.meshgrid(*[np.arange(0, 256, 17, dtype=np.uint8)] * channels)
    return Image.frombytes(mode, (1, 16**channels), np.stack(levels, axis=-1).tobytes())
