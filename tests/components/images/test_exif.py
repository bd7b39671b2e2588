"""The two readers of EXIF data, in Python and in TensorFlow's operations, find the same orientation."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.images import exif, graph_exif
from components.images.exif import ORIENTATION, PREFIX


def block(order: str, *entries: tuple[int, int, int, int], start: int = 8, count: int | None = None) -> bytes:
    """EXIF data without its prefix, with the entries (tag, type, number of values, value) in its directory."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}L", start)
    directory = struct.pack(f"{order}H", len(entries) if count is None else count)
    for tag, type_, values, value in entries:
        directory += struct.pack(f"{order}HHL{'L' if type_ == 4 else 'H2x'}", tag, type_, values, value)
    return head.ljust(start, b"\0") + directory + bytes(4)


def jpeg(data: bytes) -> bytes:
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(PREFIX + data) + 2) + PREFIX + data + b"\xff\xda\0\x02"


@tf.function(input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
def in_graph(file: tf.Tensor) -> tf.Tensor:
    return graph_exif.orientation(file)


def both(data: bytes) -> int:
    expected = exif.orientation(PREFIX + data)
    assert in_graph(jpeg(data)).numpy() == expected, data.hex()
    return expected


MAKE = (0x010F, 2, 1, 0)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_both_byte_orders(order: str, orientation: int) -> None:
    assert both(block(order, MAKE, (ORIENTATION, 3, 1, orientation))) == orientation
    assert both(block(order, (ORIENTATION, 4, 1, orientation), MAKE, start=26)) == orientation


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no TIFF header at all",
        b"II*\0",
        block("<"),
        block("<", MAKE),
        block("<", (ORIENTATION, 3, 1, 0)),
        block("<", (ORIENTATION, 3, 1, 9)),
        block("<", (ORIENTATION, 3, 2, 6)),
        block("<", (ORIENTATION, 2, 1, 6)),
        block(">", (ORIENTATION, 4, 1, 0x80000006)),
        block("<", (ORIENTATION, 3, 1, 6))[:20],
        b"II*\0" + struct.pack("<L", 0xFFFFFFFF) + block("<", (ORIENTATION, 3, 1, 6)),
        block("<", (ORIENTATION, 3, 1, 6)).replace(b"II*\0", b"II+\0"),
    ],
)
def test_damaged_data_means_as_stored(data: bytes) -> None:
    assert both(data) == 1


def test_damage_elsewhere_does_not_matter() -> None:
    far = (0x0110, 2, 1000, 0xFFF0)  # its value lies beyond the data
    assert both(block("<", far, (ORIENTATION, 3, 1, 6), count=40)) == 6


def test_a_prefix_is_no_part_of_the_data() -> None:
    data = block("<", (ORIENTATION, 3, 1, 6))
    assert exif.orientation(data) == exif.orientation(PREFIX + data) == 6


def test_what_pillow_writes() -> None:
    written = Image.Exif()
    written[0x010F], written[ORIENTATION] = "a camera of some maker", 7
    assert both(written.tobytes().removeprefix(PREFIX)) == 7


def damaged() -> Iterator[bytes]:
    random = np.random.default_rng(0)
    for order in ("<", ">"):
        sound = np.frombuffer(block(order, MAKE, (ORIENTATION, 3, 1, 6), (0x011A, 5, 1, 60)), np.uint8)
        for _ in range(200):
            data = sound.copy()
            data[random.integers(4, len(data), 2)] = random.integers(0, 256, 2)
            yield data.tobytes()[: random.integers(1, len(data) + 20)]


def test_bytes_changed_at_random() -> None:
    found = [both(data) for data in damaged()]
    assert 1 in found
    assert 6 in found


def file_parts() -> Iterator[tuple[bytes, int]]:
    data = block("<", (ORIENTATION, 3, 1, 6))
    segment = jpeg(data)[2:-4]
    other = b"\xff\xe0\0\x10" + b"JFIF\0".ljust(14, b"\0")
    icc = b"\xff\xe2\xff\xff" + b"\xff\xe1\0\x20Exif\0\0".ljust(65533, b"\1")
    xmp = b"\xff\xe1\0\x20" + b"http://ns.adobe.com/xap".ljust(30, b"\0")
    scan = b"\xff\xda\0\x02"
    start = b"\xff\xd8"
    yield start + other + xmp + segment + scan, 6
    yield start + icc + icc + segment + scan, 6
    yield start + b"\xff\xff\xff" + segment[1:] + scan, 6
    yield start + segment + jpeg(block("<", (ORIENTATION, 3, 1, 3)))[2:], 6
    yield start + other + scan + segment, 1
    yield start + other, 1
    yield start + segment[:10], 1
    yield start + b"\xff\xe1\0\0" + segment + scan, 1
    yield start + b"\xff\xe1\xff\xff" + segment + scan, 1


@pytest.mark.parametrize(("file", "orientation"), file_parts())
def test_the_segment_is_found_where_it_may_be(file: bytes, orientation: int) -> None:
    assert in_graph(file).numpy() == orientation
