"""What readers of strangers' files ask for; every kind of file is in tests/components/ingest/test_decode.py."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from components.images.photos import UnreadableError, read_photo
from tests.components.ingest import odd_images


def test_reads_what_is_in_memory(tmp_path: Path) -> None:
    odd_images.COLOUR["turned_6.jpg"](tmp_path / "turned.jpg")
    photo = read_photo(io.BytesIO((tmp_path / "turned.jpg").read_bytes()))
    assert photo.turned
    assert photo.format == "JPEG"
    assert np.abs(np.asarray(photo.pixels).astype(int) - odd_images.picture()).mean() < 4


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty file"), (b"<svg xmlns='...'/>", "not an image")])
def test_says_why_bytes_are_no_image(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        read_photo(io.BytesIO(data))


def test_other_parsers_see_nothing(tmp_path: Path) -> None:
    odd_images.COLOUR["scan.tiff"](tmp_path / "scan.tiff")
    assert read_photo(tmp_path / "scan.tiff").format == "TIFF"
    with pytest.raises(UnreadableError, match="not an image"):
        read_photo(tmp_path / "scan.tiff", parsers=("JPEG", "PNG"))


def test_more_pixels_than_asked_for_are_not_decoded(tmp_path: Path) -> None:
    odd_images.COLOUR["plain.png"](tmp_path / "plain.png")
    assert read_photo(tmp_path / "plain.png", max_pixels=960).pixels.size == (40, 24)
    with pytest.raises(UnreadableError, match=r"40 x 24 pixels \(width x height\); at most 959 are read"):
        read_photo(tmp_path / "plain.png", max_pixels=959)
