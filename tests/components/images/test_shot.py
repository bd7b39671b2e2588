from __future__ import annotations

import struct
from datetime import datetime

import pytest
from PIL import Image

from components.images.shot import Shot, shot

TIME = "2026:11:27 10:15:30"
SECONDS = int((datetime(2026, 11, 27, 10, 15, 30) - datetime(1970, 1, 1)).total_seconds())


def exif(make: str = "Apple", model: str = "iPhone 15", **more: str) -> bytes:
    """As Pillow writes it."""
    tags = {"taken": 0x9003, "fraction": 0x9291, "serial": 0xA431, "digitized": 0x9004}
    data = Image.Exif()
    data[0x0132] = "2020:01:01 00:00:00"  # when the file was changed
    data.update({tag: text for tag, text in ((0x010F, make), (0x0110, model)) if text})
    data.get_ifd(0x8769).update({tags[name]: text for name, text in more.items()})
    return data.tobytes()


def test_camera_and_time() -> None:
    assert shot(exif(taken=TIME)) == Shot(("Apple", "iPhone 15", ""), SECONDS * 10**9)
    assert shot(exif("NIKON", "", taken=TIME, serial="3001")) == Shot(("NIKON", "", "3001"), SECONDS * 10**9)


@pytest.mark.parametrize(
    ("fraction", "nanoseconds"), [("5", 500_000_000), ("057", 57_000_000), ("1234567891", 123_456_789), ("  ", 0)]
)
def test_fractions_of_a_second(fraction: str, nanoseconds: int) -> None:
    found = shot(exif(taken=TIME, fraction=fraction))
    assert found is not None
    assert found.taken_ns == SECONDS * 10**9 + nanoseconds


@pytest.mark.parametrize(
    "time",
    ["0000:00:00 00:00:00", "    :  :     :  :  ", "", "2026:13:01 00:00:00", "2026:11:27 24:00:61", "yesterday"],
)
def test_times_that_are_none(time: str) -> None:
    assert shot(exif(taken=time)) is None


def test_without_a_camera_or_a_time_of_exposure() -> None:
    assert shot(exif("", "", taken=TIME, serial="3001")) is None
    assert shot(exif(digitized=TIME)) is None
    assert shot(b"") is None


def test_big_endian_without_prefix() -> None:
    head = b"MM\0*" + struct.pack(">L", 8)
    main = struct.pack(">HHHL4sHHLLL", 2, 0x010F, 2, 3, b"ab\0\0", 0x8769, 4, 1, 38, 0)
    data = head + main + struct.pack(">HHHLLL", 1, 0x9003, 2, 20, 56, 0) + TIME.encode() + b"\0"
    assert shot(data) == Shot(("ab", "", ""), SECONDS * 10**9)


def test_damage_is_no_error() -> None:
    whole = exif(taken=TIME, fraction="12", serial="3001")
    cut = [shot(whole[:length]) for length in range(len(whole))]
    changed = [shot(whole[:place] + b"\xff" + whole[place + 1 :]) for place in range(len(whole))]
    assert cut[0] is None
    assert {shot(whole)} < {*changed}  # some bytes are padding, others are not
    assert all(found is None or any(found.camera[:2]) for found in cut + changed)
