from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.embed.views import AREA_FRACTION, make_views, seeds_of

HEIGHT, WIDTH, SIZE = 80, 120, 40
ROWS = np.broadcast_to(np.arange(HEIGHT)[:, None], (HEIGHT, WIDTH))
COLUMNS = np.broadcast_to(np.arange(WIDTH), (HEIGHT, WIDTH))
IMAGE = np.stack([ROWS, COLUMNS, ROWS], axis=-1).astype(np.uint8)  # each pixel tells where it is


def views(seed: int, random_windows: int) -> np.ndarray:
    found: np.ndarray = make_views(tf.constant(IMAGE), tf.constant(seed, tf.int64), SIZE, random_windows).numpy()
    return found


def test_first_come_the_centered_crop_and_its_mirror_image() -> None:
    center, mirror = views(seed=0, random_windows=0)
    assert abs(float(center[..., 1].mean()) - (WIDTH - 1) / 2) < 1
    np.testing.assert_array_equal(mirror, center[:, ::-1])


def test_windows_lie_in_the_image_and_one_in_two_is_mirrored() -> None:
    windows = views(seed=1, random_windows=60)[2:].astype(float)
    rows = windows[:, -1, :, 0].mean(axis=1) - windows[:, 0, :, 0].mean(axis=1)
    columns = windows[:, :, -1, 1].mean(axis=1) - windows[:, :, 0, 1].mean(axis=1)
    assert (rows > 0).all()
    assert 15 <= (columns < 0).sum() <= 45
    areas = rows * abs(columns) / (HEIGHT * WIDTH)
    assert AREA_FRACTION[0] * 0.8 < areas.min() < areas.max() <= AREA_FRACTION[1]
    assert areas.std() > 0.05
    shapes = abs(columns) / rows
    assert 0.65 < shapes.min() < 0.95 < 1.1 < shapes.max() < 1.5


def test_the_first_windows_are_the_same_however_many_there_are() -> None:
    np.testing.assert_array_equal(views(seed=2, random_windows=3), views(seed=2, random_windows=5)[:5])


def test_another_seed_gives_other_windows_of_the_same_image() -> None:
    ours, theirs = views(seed=3, random_windows=2), views(seed=4, random_windows=2)
    np.testing.assert_array_equal(ours[:2], theirs[:2])
    assert (ours[2:] != theirs[2:]).any(axis=(1, 2, 3)).all()


def test_the_seed_of_an_image_is_that_of_its_content() -> None:
    digests = np.random.default_rng(0).integers(0, 256, (3, 16), np.uint8)
    np.testing.assert_array_equal(seeds_of(digests[[2, 0]]), seeds_of(digests)[[2, 0]])
    assert len(set(seeds_of(digests))) == 3
