"""Photos as phones take them, of a picture of the sample."""

from __future__ import annotations

from pathlib import Path

import pillow_heif
from PIL import Image

ORIENTATION = 0x0112
SIDE_PIXELS = 3000


def landscape(picture: Image.Image, border: str = "gray", width: int = 4000) -> Image.Image:
    """12 million pixels: the picture in the middle, borders at its sides."""
    photo = Image.new("RGB", (width, SIDE_PIXELS), border)
    photo.paste(picture.resize((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.NEAREST), ((width - SIDE_PIXELS) // 2, 0))
    return photo


def write_turned_jpeg(photo: Image.Image, file: Path) -> None:
    """As a phone held upright writes it, with the place where it was taken."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif.get_ifd(0x8825)[1] = "N"
    photo.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", quality=92, exif=exif)


def write_heic(photo: Image.Image, file: Path) -> None:
    """As an iPhone writes it."""
    pillow_heif.register_heif_opener()
    photo.save(file, "HEIF", quality=90)
