"""Each kind of file comes back as the very image, through both decoders, and no kind is like another."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf

from components.images.decode_graph import decode_upright
from components.images.photos import read_photo
from components.images.resize import crop_and_resize
from components.push.photo_files import KINDS, as_transparent, photo_file

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("kind", range(KINDS))
@pytest.mark.parametrize("size", [(32, 32), (20, 30), (31, 9), (1, 1)])
def test_every_kind_comes_back(size: tuple[int, int], kind: int) -> None:
    image = RANDOM.integers(0, 256, (*size, 3), np.uint8)
    data = photo_file(image, kind)
    for upright in (decode_upright(tf.constant(data)), np.asarray(read_photo(io.BytesIO(data)).pixels)):
        np.testing.assert_array_equal(crop_and_resize(upright, *size), image)


def test_every_kind_is_another_file() -> None:
    image = RANDOM.integers(0, 256, (20, 30, 3), np.uint8)
    stored = [tf.io.decode_png(photo_file(image, kind), channels=3).numpy() for kind in range(KINDS)]
    assert len({pixels.tobytes() for pixels in stored}) == KINDS


def test_white_and_black_can_be_transparent() -> None:
    image = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 128]]], np.uint8)
    assert as_transparent(image)[0, :, 3].tolist() == [0, 255, 255]
    np.testing.assert_array_equal(decode_upright(tf.constant(photo_file(image, 1))), image)
