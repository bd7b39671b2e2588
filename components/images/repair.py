"""Leaves out of damaged image files what no viewer needs, if the image itself is whole."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_FRAMES, _SCAN = (0xC0, 0xC1, 0xC2), 0xDA  # markers of a JPEG: baseline, extended or progressive; coded pixels follow
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # 0 and restart markers belong to coded pixels
_PNG = b"\x89PNG\r\n\x1a\n"
_USED = (b"tRNS", b"iCCP", b"eXIf")  # optional chunks that change the pixels
_MAX_PROFILE_BYTES = 1 << 20  # what Pillow decompresses of a profile
_OTHER_PIXELS = bytes(range(254, 0, -1))  # as coded pixels of a JPEG, it makes other ones than none do


def repaired(data: bytes) -> bytes | None:
    """Returns a file of the same image that a strict decoder reads, or None if parts of the image are missing.

    A JPEG gets the end marker that it lacks. A PNG loses texts and other chunks that do not change the pixels, whatever
    is wrong with them.
    """
    if data.startswith(_JPEG):
        return _with_end(data)
    return _PNG + b"".join(_needed_chunks(data)) if data.startswith(_PNG) else None


def _with_end(data: bytes) -> bytes | None:
    """Adds the end marker, unless coded pixels are missing: then other bytes before the marker give other pixels."""
    data = data.rstrip(b"\xff")  # half of an end marker, or of a coded 255
    if not _has_all_scans(data):
        return None
    same = np.array_equal(_pixels(data + _JPEG_END), _pixels(data + _OTHER_PIXELS + _JPEG_END))
    return data + _JPEG_END if same else None


def _has_all_scans(jpeg: bytes) -> bool:
    """Returns whether each coefficient of each channel is there in full; a progressive file sends them bit by bit."""
    missing = {(-1, -1)}  # nothing is known before the frame's header
    start = len(_JPEG) - 1
    while missing and start + 4 <= len(jpeg):
        marker, stop = jpeg[start + 1], start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big")
        content, start = jpeg[start + 4 : stop], stop
        if stop > len(jpeg) or (marker == _SCAN and len(content) < 6):
            return False
        if marker in _FRAMES:
            missing = {(channel, index) for channel in content[6::3] for index in range(64)}
        elif marker == _SCAN:
            *channels, first, last, bits = content[1::2][: content[0]] + content[-3:]
            if bits & 15 == 0:  # no lower bits follow
                missing -= {(channel, index) for channel in channels for index in range(first, last + 1)}
            following = _NEXT_MARKER.search(jpeg, start)
            start = following.start() if following else len(jpeg)
    return not missing


def _pixels(jpeg: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        return np.asarray(image)


def _needed_chunks(data: bytes) -> Iterator[bytes]:
    start = len(_PNG)
    while start < len(data):
        stop = start + 12 + int.from_bytes(data[start : start + 4], "big")
        chunk = data[start:stop]
        kind, content, checksum = chunk[4:8], chunk[8:-4], chunk[-4:]
        is_critical = kind[:1].isupper()
        is_sound = len(chunk) == stop - start and zlib.crc32(kind + content) == int.from_bytes(checksum, "big")
        if is_critical or (is_sound and kind in _USED and (kind != b"iCCP" or _is_small(content))):
            yield chunk
        start = stop


def _is_small(content: bytes) -> bool:
    """Returns whether a chunk's profile, which follows a name, a 0 and the method, is not too large once unpacked."""
    packed = content.partition(b"\0")[2][1:]
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed, _MAX_PROFILE_BYTES)
    except zlib.error:
        return False
    return not unpacking.unconsumed_tail
