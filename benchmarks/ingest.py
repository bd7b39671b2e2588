"""Measures ingest of photos from phones: stored in their own size, and shrunk to 512 pixels.

    python -m benchmarks.ingest --photos 40 --work /tmp/ingest

The photos have 12 megapixels and 2 MB. Half of them lie sideways in the file, as EXIF says, and a third have Display
P3 colors. Each measurement is the component alone, on Beam's local runner with its default of one worker, in a process
of its own that has imported TensorFlow and has read a photo before; "CPU" is the time of all its threads, and "peak" is
all the memory of that process (ru_maxrss).
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import resource
import struct
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageDraw

SHORTER_SIDES = (None, 512)  # ingest.shorter_side_pixels, the earlier rule first
CLASSES = ("a", "b")
_SIZE = (4032, 3024)
_QUALITY = 88
_SIDEWAYS = 6  # EXIF's orientation of a phone held upright
_ORIENTATION = 0x0112
# Red, green and blue as XYZ, adapted to D50.
_DISPLAY_P3 = {
    b"rXYZ": (0.51512, 0.2412, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.1571, 0.06657, 0.78407),
}


class Measured(NamedTuple):
    """The measurement of one ingest."""

    shorter_side_pixels: int | None
    photos: int
    seconds: float
    cpu_seconds: float  # of all threads: what remains comparable on a busy machine
    peak_megabytes: float
    stored_fraction: float  # the artifact's bytes per byte of the photos


def write_photos(folder: Path, count: int, size: tuple[int, int] = _SIZE) -> Path:
    """Writes photos as `<folder>/<class>/<number>.jpg`, unless they are there already, and returns the folder."""
    for name in CLASSES:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        file = folder / CLASSES[number % len(CLASSES)] / f"{number:04d}.jpg"
        if not file.exists():
            is_sideways, is_p3 = number // len(CLASSES) % 2 == 1, number // len(CLASSES) % 3 == 1
            file.write_bytes(jpeg(draw(number, size), is_sideways, is_p3))
    return folder


def draw(seed: int, size: tuple[int, int] = _SIZE) -> Image.Image:
    """Returns a picture with as much detail as a photo: noise at every scale, weaker the finer it is, and edges."""
    random = np.random.default_rng(seed)
    width, height = size
    pixels = np.full((height, width, 3), random.uniform(60, 190, 3), np.float32)
    for cell in (1024, 256, 64, 16, 4):
        cells = (height // cell + 2, width // cell + 2)
        gray, colors = random.normal(0, 1, cells), random.normal(0, 0.4, (3, *cells))
        for channel in range(3):
            noise = Image.fromarray((gray + colors[channel]).astype(np.float32))
            pixels[..., channel] += 45 * (cell / 1024) ** 0.4 * np.asarray(noise.resize(size, Image.Resampling.BICUBIC))
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    canvas = ImageDraw.Draw(image)
    for _ in range(400):
        corners = random.uniform((0, 0), size) + random.normal(0, 150, (3, 2))
        canvas.polygon([tuple(corner) for corner in corners], fill=tuple(random.integers(0, 256, 3).tolist()))
    return image


def jpeg(image: Image.Image, is_sideways: bool, is_p3: bool) -> bytes:
    """Encodes an image as a phone does that was held upright, or that has a screen of many colors."""
    exif = Image.Exif()
    if is_sideways:
        exif[_ORIENTATION] = _SIDEWAYS
        image = image.transpose(Image.Transpose.ROTATE_90)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, exif=exif, icc_profile=display_p3() if is_p3 else None)
    return file.getvalue()


def display_p3() -> bytes:
    """Returns the profile of Display P3: that of sRGB, whose curve it has, with other primaries."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12):
        tag, start, _ = struct.unpack_from(">4sII", profile, entry)
        if tag in _DISPLAY_P3:
            struct.pack_into(">3i", profile, start + 8, *(round(value * 65536) for value in _DISPLAY_P3[tag]))
    return bytes(profile)


def measure(photos: Path, shorter_side_pixels: int | None) -> Measured:
    """Ingests the photos in a new process, so that its peak is that of this ingest."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, photos, shorter_side_pixels).result()


def _measure(photos: Path, shorter_side_pixels: int | None) -> Measured:
    from components.ingest.decode import read_image

    files = sorted(photos.rglob("*.jpg"))
    read_image(files[0], 8)
    with tempfile.TemporaryDirectory(dir=photos.parent) as folder:
        seconds, cpu_seconds = _ingest(photos, Path(folder), shorter_side_pixels)
        stored = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    taken = sum(file.stat().st_size for file in files)
    return Measured(shorter_side_pixels, len(files), seconds, cpu_seconds, peak, stored / taken)


def _ingest(photos: Path, folder: Path, shorter_side_pixels: int | None) -> tuple[float, float]:
    """Ingests the photos into `folder`, and returns the seconds that it took, by the clock and of CPU time."""
    import apache_beam as beam
    from apache_beam.pvalue import AsList
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    from components.component import Workspace
    from components.ingest import Ingest, IngestConfig

    component = Ingest(IngestConfig(dataset=str(photos), shorter_side_pixels=shorter_side_pixels))
    with tempfile.TemporaryDirectory(dir=photos.parent) as scratch:
        workspace = Workspace(folder=folder, scratch=Path(scratch), root=folder)
        start, cpu_start = time.perf_counter(), time.process_time()
        with beam.Pipeline(runner=FnApiRunner()) as pipeline:
            spans = pipeline | beam.Create(list(component.list_shards(workspace))) | beam.Reshuffle()
            results = component.process(spans)
            once = pipeline | "once" >> beam.Create([None])
            _ = once | beam.Map(lambda _, found: component.combine(workspace, found).content, AsList(results))
        return time.perf_counter() - start, time.process_time() - cpu_start


def table(rows: Sequence[Measured]) -> str:
    """Returns a table with a row per rule, of medians and of the highest peak, and the ratios of the two rules."""
    lines = [
        "| shorter side | photos | seconds | photos/s | CPU seconds | peak MB | stored / photos |",
        "|---|---|---|---|---|---|---|",
    ]
    old, new = (_middle([row for row in rows if row.shorter_side_pixels == side]) for side in SHORTER_SIDES)
    for row in (old, new):
        lines.append(
            f"| {row.shorter_side_pixels or 'as it is'} | {row.photos} | {row.seconds:.1f} | "
            f"{row.photos / row.seconds:.1f} | {row.cpu_seconds:.1f} | {row.peak_megabytes:.0f} | "
            f"{row.stored_fraction:.3f} |"
        )
    lines.append(
        f"{old.seconds / new.seconds:.1f} times as fast, with {old.cpu_seconds / new.cpu_seconds:.1f} times less CPU "
        f"time, in {old.stored_fraction / new.stored_fraction:.1f} times less space"
    )
    return "\n".join(lines)


def _middle(rows: Sequence[Measured]) -> Measured:
    """Returns the medians of the times, with the highest peak."""
    return rows[0]._replace(
        seconds=median(row.seconds for row in rows),
        cpu_seconds=median(row.cpu_seconds for row in rows),
        peak_megabytes=max(row.peak_megabytes for row in rows),
    )


def main() -> None:
    """Makes the photos, ingests them by both rules in turns, and prints the table and all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=40, help="at least 10: every split needs both classes")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the photos; needs 30 MB for each")
    options = parser.parse_args()
    folder = options.work.absolute() / f"{options.photos}-photos"
    photos = write_photos(folder, options.photos)
    rows = []
    for side in SHORTER_SIDES * options.rounds:
        rows.append(measure(photos, side))
        print(rows[-1], file=sys.stderr, flush=True)
    print(table(rows))
    print(json.dumps([row._asdict() for row in rows]))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
