from __future__ import annotations

import numpy as np
import pytest

from components.inspect.thumbnails import SIDE, resize_matrix, thumbnail


def test_an_image_of_the_thumbnails_size_is_only_turned_gray() -> None:
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    np.testing.assert_array_equal(thumbnail(image), np.rint(image @ np.array([0.299, 0.587, 0.114])))


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (7, 3), (480, 640)])
def test_any_size_is_stretched_to_a_square(shape: tuple[int, int]) -> None:
    small = thumbnail(np.full((*shape, 3), 77, np.uint8))
    assert small.shape == (SIDE, SIDE)
    assert (small == 77).all()


def test_a_frame_and_bars_are_cut_off() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    framed = np.pad(image, ((5, 5), (9, 9), (0, 0)), constant_values=255)
    barred = np.pad(image, ((8, 8), (0, 0), (0, 0)))
    np.testing.assert_array_equal(thumbnail(framed), thumbnail(image))
    np.testing.assert_array_equal(thumbnail(barred), thumbnail(image))


def test_a_plain_strip_at_one_end_is_part_of_the_picture() -> None:
    image = np.random.default_rng(0).integers(0, 200, (64, 64, 3), dtype=np.uint8)
    under_a_white_sky = np.concatenate([np.full((16, 64, 3), 255, np.uint8), image])
    assert (thumbnail(under_a_white_sky)[:4] > 250).all()


def test_weights_add_up_to_one_whatever_is_resized() -> None:
    for span, source, target in [((0.0, 1.0), 5, 32), ((0.08, 0.92), 32, 8), ((0.0, 1.0), 4000, 32)]:
        matrix = resize_matrix(*span, source, target)
        assert matrix.shape == (target, source)
        np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-5)
