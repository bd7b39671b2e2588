"""Reads from EXIF data how a camera was held."""

from __future__ import annotations

import struct

PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112  # the tag
SHORT, LONG = 3, 4  # types of its value: two or four bytes
LITTLE_ENDIAN, BIG_ENDIAN = b"II*\0", b"MM\0*"  # first bytes of the data
BYTE_ORDERS = {LITTLE_ENDIAN: "<", BIG_ENDIAN: ">"}


def orientation(exif: bytes) -> int:
    """Returns the orientation, 1 to 8, that EXIF data (with or without its prefix) states; 1 if it states none.

    It is the value of the first entry of that tag in the first directory. Other entries do not matter, so that damage
    to them is harmless. `components.images.graph_exif` reads the same in TensorFlow's operations; tests compare both.
    """
    exif = without_prefix(exif)
    order = BYTE_ORDERS.get(exif[:4])
    try:
        if order is None:
            return 1
        (directory,) = struct.unpack_from(f"{order}L", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, directory)
        for start in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, type_, values = struct.unpack_from(f"{order}HHL", exif, start)
            (value,) = struct.unpack_from(f"{order}{'L' if type_ == LONG else 'H2x'}", exif, start + 8)
            if tag == ORIENTATION:
                return value if type_ in (SHORT, LONG) and values == 1 and 1 <= value <= 8 else 1
    except struct.error:  # the data ends too early
        pass
    return 1


def without_prefix(exif: bytes) -> bytes:
    """Returns the data from its byte order on."""
    while exif.startswith(PREFIX):
        exif = exif[len(PREFIX) :]
    return exif
