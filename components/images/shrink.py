"""Shrinks images with little more memory than the decoded image takes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from PIL import Image

_TILE_PIXELS = 1 << 20
_GAP = 2  # how many times as wide as the result an image stays, at least, before the last step
# Twice as fast as Lanczos, sharper than bilinear, and without rings at edges.
_FILTER = Image.Resampling.HAMMING


def shrunk_size(size: tuple[int, int], shorter_side_pixels: int | None) -> tuple[int, int] | None:
    """Returns (width, height) with that shorter side in the same proportions; None if `size` is not larger.

    The longer side is rounded so that the difference of both is even: the centered square that networks see then
    starts at a whole pixel, where it starts in the original.
    """
    shorter = min(size)
    if shorter_side_pixels is None or shorter <= shorter_side_pixels:
        return None
    margin = round((max(size) - shorter) / 2 * shorter_side_pixels / shorter)
    longer = shorter_side_pixels + 2 * margin
    return (longer, shorter_side_pixels) if size[0] > size[1] else (shorter_side_pixels, longer)


def shrink(
    image: Image.Image,
    size: tuple[int, int],
    extent: tuple[float, float],
    plain: Callable[[Image.Image], Image.Image],
) -> Image.Image:
    """Shrinks a decoded image, antialiased: to a whole fraction by means first, if that leaves it twice as wide.

    Args:
        image: the decoded image.
        size: of the result, (width, height).
        extent: what the original covers of the image, (width, height): a decoder that scales may fill up the last row.
        plain: makes of a tile one of a mode whose levels can be averaged.

    Returns:
        An image of the mode that `plain` returns, without the `info` of the file.
    """
    factor = max(1, min(image.width // size[0], image.height // size[1]) // _GAP)
    reduced = _reduced(image, factor, plain)
    return reduced.resize(size, _FILTER, box=(0, 0, extent[0] / factor, extent[1] / factor))


def _reduced(image: Image.Image, factor: int, plain: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Makes each pixel the mean of `factor` times `factor` pixels, one tile after another."""
    result: Image.Image | None = None
    for box in tile_boxes(image.size, factor):
        tile = plain(image.crop(box)).reduce(factor)
        if result is None:
            result = Image.new(tile.mode, (-(-image.width // factor), -(-image.height // factor)))
        result.paste(tile, (box[0] // factor, box[1] // factor))
    assert result is not None
    return result


def tile_boxes(size: tuple[int, int], multiple: int = 1) -> Iterator[tuple[int, int, int, int]]:
    """Yields (left, top, right, bottom) of tiles that cover an image: about a megapixel, each side a multiple.

    A conversion of a whole image would take memory for each of its steps.
    """
    width = min(size[0], -(-_TILE_PIXELS // multiple) * multiple)
    height = max(_TILE_PIXELS // width // multiple, 1) * multiple
    for top, left in itertools.product(range(0, size[1], height), range(0, size[0], width)):
        yield left, top, min(left + width, size[0]), min(top + height, size[1])
