from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.train.random_crop import decode_window

GRADIENT = np.stack(
    [
        np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None] * 4, (64, 96)),
        np.broadcast_to(np.arange(96, dtype=np.uint8) * 2, (64, 96)),
        np.full((64, 96), 100, np.uint8),
    ],
    axis=-1,
)


def encoded(format_: str) -> tf.Tensor:
    file = io.BytesIO()
    Image.fromarray(GRADIENT).save(file, format_, **({"quality": 95} if format_ == "JPEG" else {}))
    return tf.constant(file.getvalue())


def window(format_: str, seed: int, area: tuple[float, float] = (0.2, 0.3)) -> np.ndarray:
    return decode_window(encoded(format_), tf.constant([seed, 0], tf.int64), area, 32, 48).numpy()


@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_a_window_is_a_part_of_the_image(format_: str) -> None:
    pixels = window(format_, seed=1).astype(float)
    assert pixels.shape == (32, 48, 3)
    assert abs(pixels[..., 2] - 100).mean() <= 2
    rows = (pixels[-1, :, 0].mean() - pixels[0, :, 0].mean()) / 4 + 1
    columns = (pixels[:, -1, 1].mean() - pixels[:, 0, 1].mean()) / 2 + 1
    assert rows * columns / (64 * 96) == pytest.approx(0.25, abs=0.07)
    assert 3 / 4 - 0.1 <= columns / rows <= 4 / 3 + 0.1


def test_a_jpeg_and_a_png_have_the_same_window() -> None:
    difference = window("JPEG", seed=3).astype(int) - window("PNG", seed=3)
    assert abs(difference).mean() < 2


def test_opacity_is_laid_on_white() -> None:
    transparent, file = np.dstack([GRADIENT, np.zeros((64, 96), np.uint8)]), io.BytesIO()
    Image.fromarray(transparent).save(file, "PNG")
    assert (
        (decode_window(tf.constant(file.getvalue()), tf.constant([1, 0], tf.int64), (0.2, 0.3), 32, 48) == 255)
        .numpy()
        .all()
    )


def test_the_seed_decides() -> None:
    assert (window("JPEG", seed=1) == window("JPEG", seed=1)).all()
    assert abs(window("JPEG", seed=1).astype(int) - window("JPEG", seed=2)).mean() > 5
