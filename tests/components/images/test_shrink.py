"""The size, the place and the levels of what is left of an image."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from components.images.shrink import shrink, shrunk_size, tile_boxes


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((4032, 3024), (682, 512)),
        ((3024, 4032), (512, 682)),
        ((3000, 3000), (512, 512)),
        ((9000, 600), (7680, 512)),
        ((600, 512), None),
        ((512, 9000), None),
    ],
)
def test_the_shorter_side_decides(size: tuple[int, int], expected: tuple[int, int] | None) -> None:
    assert shrunk_size(size, 512) == expected
    assert shrunk_size(size, None) is None


def test_the_centered_square_starts_at_a_whole_pixel() -> None:
    for width in range(1000, 1100):
        longer, shorter = shrunk_size((width, 700), 100) or (0, 0)
        assert shorter == 100
        assert (longer - shorter) % 2 == 0
        assert abs(longer - width / 7) <= 1


@pytest.mark.parametrize("factor", [1, 3, 1000])
@pytest.mark.parametrize("size", [(2100, 1501), (1_500_001, 2), (2, 1_500_001)])
def test_tiles_cover_each_pixel_once(size: tuple[int, int], factor: int) -> None:
    covered = np.zeros((size[1], size[0]), np.uint8)
    for left, top, right, bottom in tile_boxes(size, factor):
        covered[top:bottom, left:right] += 1
        assert left % factor == 0
        assert top % factor == 0
    assert (covered == 1).all()


@pytest.mark.parametrize("side", [200, 201, 207, 1999])
def test_no_border_moves_or_darkens(side: int) -> None:
    """A ramp from 0 to 255 stays one, whether it is averaged first or not, and whether the sides divide or not."""
    ramp = np.linspace(0, 255, side)[None].repeat(side, 0).round().astype(np.uint8)
    image = Image.fromarray(ramp)
    small = np.asarray(shrink(image, (40, 40), image.size, lambda tile: tile))
    np.testing.assert_allclose(small[:, 1:-1], (np.arange(1.5, 39) / 40 * 255)[None].repeat(40, 0), atol=2)


def test_fine_stripes_become_gray() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (600, 300))
    small = np.asarray(shrink(Image.fromarray(stripes), (100, 100), (600, 600), lambda tile: tile)).astype(int)
    assert np.abs(small - 127.5).max() < 3
