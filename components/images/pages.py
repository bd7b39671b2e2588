"""Tells whether the first page of a TIFF file, which viewers show, may not be the image that is meant."""

from __future__ import annotations

from PIL import Image, ImageSequence
from PIL.TiffImagePlugin import TiffImageFile

_NEW_SUBFILE_TYPE, _SUBFILE_TYPE, _DNG_VERSION = 254, 255, 50706  # tags
_REDUCED = 1  # a bit of _NEW_SUBFILE_TYPE
_OLD_REDUCED = 2  # a value of _SUBFILE_TYPE
_LARGER = 2  # a page that is so many times as wide and as high as the first one makes that one look like a thumbnail


def first_page_doubt(image: Image.Image) -> str | None:
    """Returns the reason why the first page may be a small copy of the image, or None. It decodes no pixels."""
    if not isinstance(image, TiffImageFile):
        return None
    if _DNG_VERSION in image.tag_v2:
        return "a camera RAW file (DNG), of which only a preview could be read; export it as JPEG or PNG"
    if image.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & _REDUCED or image.tag_v2.get(_SUBFILE_TYPE) == _OLD_REDUCED:
        return "its first page is marked as a thumbnail; save the image alone"
    width, height = image.size
    sizes = [page.size for page in ImageSequence.Iterator(image)]
    image.seek(0)
    for number, (page_width, page_height) in enumerate(sizes, start=1):
        if page_width >= _LARGER * width and page_height >= _LARGER * height:
            return (
                f"its page {number} has {page_width} x {page_height} pixels (width x height), the first one only "
                f"{width} x {height}; save the page that is meant alone"
            )
    return None
