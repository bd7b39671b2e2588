"""ICC profiles as files hold them, built from the numbers that define their color spaces."""

from __future__ import annotations

import struct

import numpy as np
from PIL import ImageCms

SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # of Display P3 too
# Red, green and blue as XYZ, adapted to D50, as Apple's "Display P3" has them.
DISPLAY_P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
SRGB_PRIMARIES = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
D50 = (0.9642, 1.0, 0.8249)


def display_p3() -> bytes:
    return _profile(b"RGB ", _colorants(DISPLAY_P3), SRGB_CURVE, "Display P3")


def srgb_by_another_name() -> bytes:
    """sRGB, but not the bytes that Little CMS would write."""
    return _profile(b"RGB ", _colorants(SRGB_PRIMARIES), SRGB_CURVE, "camera colors")


def mac_gray() -> bytes:
    """As old Macs had it: the levels are of gamma 1.8."""
    return _profile(b"GRAY", {}, (1.8, 1.0, 0.0, 1.0, 0.0), "gray of gamma 1.8")


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def p3_to_srgb(pixels: np.ndarray) -> np.ndarray:
    """uint8 (..., 3) in Display P3 to float (..., 3), 0-255, in sRGB: by the definition, without any library."""
    encoded = pixels / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array(DISPLAY_P3)
    linear = np.clip(xyz @ np.linalg.inv(np.array(SRGB_PRIMARIES)), 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _colorants(primaries: tuple[tuple[float, float, float], ...]) -> dict[bytes, bytes]:
    return {name: _xyz(primary) for name, primary in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}


def _profile(space: bytes, colorants: dict[bytes, bytes], curve: tuple[float, ...], name: str) -> bytes:
    text = struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", 2 * len(name), 28) + name.encode("utf-16-be")
    parametric = struct.pack(">4sIHH", b"para", 0, 3, 0) + b"".join(_fixed(value) for value in curve)
    curves = [b"kTRC"] if space == b"GRAY" else [b"rTRC", b"gTRC", b"bTRC"]
    tags = {b"desc": text, b"cprt": text, b"wtpt": _xyz(D50), **colorants, **dict.fromkeys(curves, parametric)}
    table, data, start = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += struct.pack(">4sII", tag, start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    head = struct.pack(
        ">I4sI4s4s4s12s4s", start + len(data), bytes(4), 0x04300000, b"mntr", space, b"XYZ ", bytes(12), b"acsp"
    )
    head = head.ljust(68, b"\0") + b"".join(_fixed(value) for value in D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(_fixed(value) for value in values)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
