"""Reads from EXIF data when, and with which camera, a photo was taken."""

from __future__ import annotations

import re
import struct
from datetime import datetime, timedelta
from typing import NamedTuple

from components.images.exif import BYTE_ORDERS, LONG, without_prefix

_ASCII = 2  # type of a value: text that ends with a zero byte
_MAKE, _MODEL, _EXIF_DIRECTORY = 0x010F, 0x0110, 0x8769  # tags of the first directory
_TAKEN, _FRACTION, _SERIAL = 0x9003, 0x9291, 0xA431  # DateTimeOriginal, SubSecTimeOriginal, BodySerialNumber
_MOST_BYTES = 128  # of a text
_TIME = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_START, _SECOND = datetime(1970, 1, 1), timedelta(seconds=1)


class Shot(NamedTuple):
    """The press of a shutter."""

    camera: tuple[str, str, str]  # make, model and serial number; any may be empty, but not the first two at once
    taken_ns: int  # nanoseconds since 1970 by the camera's clock, whatever its time zone; often whole seconds


def shot(exif: bytes) -> Shot | None:
    """Returns what EXIF data (with or without its prefix) states; None without a valid time or without a camera.

    The time is that of the exposure alone. When a file was scanned or changed says nothing about bursts.
    """
    exif = without_prefix(exif)
    order = BYTE_ORDERS.get(exif[:4])
    try:
        if order is None:
            return None
        main = _fields(exif, order, struct.unpack_from(f"{order}L", exif, 4)[0])
        more = _fields(exif, order, int(main.get(_EXIF_DIRECTORY, len(exif))))
    except struct.error:  # the data ends too early
        return None
    camera = (str(main.get(_MAKE, "")), str(main.get(_MODEL, "")), str(more.get(_SERIAL, "")))
    taken_ns = _nanoseconds(str(more.get(_TAKEN, "")), str(more.get(_FRACTION, "")))
    return Shot(camera, taken_ns) if taken_ns is not None and any(camera[:2]) else None


def _fields(exif: bytes, order: str, start: int) -> dict[int, str | int]:
    """Returns the short texts, and the single numbers of four bytes, of the directory at `start`, by their tags.

    Raises struct.error if the directory is not in the data; entries that are cut short are left out.
    """
    fields: dict[int, str | int] = {}
    (count,) = struct.unpack_from(f"{order}H", exif, start)
    for place in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        tag, type_, length, value = struct.unpack_from(f"{order}HHLL", exif, place)
        if (type_, length) == (LONG, 1):
            fields.setdefault(tag, value)
        elif type_ == _ASCII and length <= _MOST_BYTES:
            text = exif[place + 8 :][:length] if length <= 4 else exif[value : value + length]
            fields.setdefault(tag, text.split(b"\0")[0].decode("latin-1").strip())
    return fields


def _nanoseconds(time: str, fraction: str) -> int | None:
    """Returns the time of "2026:11:27 10:15:30" and the digits after its seconds; None if there is no such time."""
    found = _TIME.match(time)
    try:
        taken = datetime.fromisoformat("{}-{}-{} {}:{}:{}".format(*found.groups())) if found else None
    except ValueError:  # all zeros, for example
        return None
    digits = fraction if fraction.isascii() and fraction.isdigit() else ""
    return None if taken is None else (taken - _START) // _SECOND * 10**9 + int(digits[:9].ljust(9, "0"))
