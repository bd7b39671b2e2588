from __future__ import annotations

import io

import numpy as np
from PIL import Image

from benchmarks.ingest import Measured, display_p3, draw, jpeg, table
from components.images.photos import read_photo
from tests.components.images import icc_profiles


def test_the_table_compares_both_rules() -> None:
    rows = [
        Measured(None, 40, 100.0, 80.0, 1500.0, 5.0),
        Measured(512, 40, 2.0, 1.0, 700.0, 0.125),
        Measured(None, 40, 120.0, 80.0, 1400.0, 5.0),
        Measured(512, 40, 2.0, 1.0, 710.0, 0.125),
    ]
    assert table(rows).splitlines()[2:] == [
        "| as it is | 40 | 110.0 | 0.4 | 80.0 | 1500 | 5.000 |",
        "| 512 | 40 | 2.0 | 20.0 | 1.0 | 710 | 0.125 |",
        "55.0 times as fast, with 80.0 times less CPU time, in 40.0 times less space",
    ]


def test_photos_are_as_phones_write_them() -> None:
    image = draw(0, (403, 302))
    photo = read_photo(io.BytesIO(jpeg(image, is_sideways=True, is_p3=True)))
    assert photo.turned
    assert photo.converted
    assert photo.pixels.size == image.size
    assert np.abs(np.asarray(photo.pixels).astype(int) - icc_profiles.p3_to_srgb(np.asarray(image))).mean() < 6


def test_the_profile_is_that_of_display_p3() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", icc_profile=display_p3())
    np.testing.assert_allclose(np.asarray(read_photo(file).pixels), icc_profiles.p3_to_srgb(pixels), atol=2)
