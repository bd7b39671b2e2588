"""Measures what finding near copies, wrong labels and odd images takes beyond the vectors and the pixels.

    python -m benchmarks.many_vectors --images 1000000 --work /tmp/many_vectors

The vectors are synthetic: of each class some clusters of images that are alike, no negative values, both views of an
image alike. One in a hundred images is a near copy of the one before it, and one in a hundred has a wrong label. They
and the thumbnails lie in files, as those that `inspect` reads, 6.1 GB for a million images. Seconds are processor time.
Peak memory is given without the pages of these files, which the system takes back when it needs them, and with them.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.findings import Finding
from components.inspect.allocation import allocate
from components.inspect.label_issues import find_label_issues
from components.inspect.near_copies import find_near_copies
from components.inspect.odd_images import find_odd_images
from components.inspect.pixel_measures import PixelMeasures
from components.inspect.thumbnails import SIDE, resize_matrix
from components.inspect.vectors import SplitVectors
from pipeline.background import in_background

FEATURES, CLUSTERS, BLOCK = 1280, 20, 10_000
COPY_EVERY = WRONG_EVERY = 100
COARSE_SIDE = 8  # of the random pictures before they are enlarged
SPLITS = {"train": 0.9, "validation": 0.05, "test": 0.05}  # fractions of the images
ROW = "{:<20} {:>12} {:>10} {:>18} {:>10}"
SAMPLED_SECONDS = 0.2


Views = NDArray[np.float16]  # (n, 2, FEATURES)


class Data(NamedTuple):
    """The images of all splits, as the finders take them."""

    splits: list[SplitVectors]
    thumbnails: dict[str, NDArray[np.uint8]]
    measures: dict[str, NDArray[np.float32]]


def main() -> None:
    """Prints the seconds of each finder, what it found, and the peak memory so far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the file of vectors")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print(ROW.format(f"{options.images:,} images", "CPU seconds", "findings", "GB without files", "GB"))
    peak = Peak()
    with tempfile.TemporaryDirectory(dir=options.work) as folder, in_background(peak.watch, "memory"):
        with timed("making them", [], peak):
            data = make(options.images, options.classes, Path(folder))
        found: list[Finding] = []
        with timed("near copies", found, peak):
            found += find_near_copies(data.splits, data.thumbnails)
        groups = {(image.split, image.index): number for number, each in enumerate(found) for image in each.images}
        with timed("label issues", issues := [], peak):
            issues += find_label_issues(data.splits, options.classes, groups)
        with timed("odd images", odd := [], peak):
            odd += find_odd_images(data.splits, data.measures, options.classes)


class Peak:
    """The most memory of this process at any moment, in GB, looked at a few times a second."""

    def __init__(self) -> None:
        self.without_files = self.whole = 0.0

    def watch(self, ended: threading.Event) -> None:
        """Looks until the event is set."""
        while not ended.wait(SAMPLED_SECONDS):
            kilobytes = dict(re.findall(r"(\w+):\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii")))
            self.without_files = max(self.without_files, int(kilobytes["RssAnon"]) / 1e6)
            self.whole = max(self.whole, int(kilobytes["VmRSS"]) / 1e6)


@contextmanager
def timed(what: str, found: list[Finding], peak: Peak) -> Iterator[None]:
    """Prints the seconds of the block, with what it has added to `found`."""
    started = time.process_time()
    yield
    seconds = time.process_time() - started
    time.sleep(2 * SAMPLED_SECONDS)
    print(ROW.format(what, f"{seconds:.1f}", len(found), f"{peak.without_files:.2f}", f"{peak.whole:.2f}"), flush=True)


def make(images: int, classes: int, folder: Path) -> Data:
    """Makes the images of all splits, their vectors in files of the folder."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(classes, CLUSTERS, FEATURES)).astype(np.float32)
    centers += 2 * random.normal(size=(classes, 1, FEATURES)).astype(np.float32)
    data = Data([], {}, {})
    for split, fraction in SPLITS.items():
        count = round(images * fraction)
        views = allocate((count, 2, FEATURES), np.float16, folder)
        true = random.integers(classes, size=count)
        pictures = allocate((count, SIDE, SIDE), np.uint8, folder)
        for first in range(0, count, BLOCK):
            block = slice(first, min(first + BLOCK, count))
            views[block] = _views(random, centers, true[block])
            pictures[block] = _pictures(random, block.stop - first)
            _repeat(random, views[block], pictures[block], true[block])
        labels = np.where(np.arange(count) % WRONG_EVERY == 1, (true + 1) % classes, true)
        digests = random.integers(256, size=(count, 16), dtype=np.uint8)
        data.splits.append(SplitVectors(split, labels, digests, views))
        data.thumbnails[split] = pictures
        data.measures[split] = np.tile(np.array(PixelMeasures(0.5, 0.2, 0.9, 0.1, 1.3), np.float32), (count, 1))
    return data


def _views(random: np.random.Generator, centers: NDArray[np.float32], classes: NDArray[np.int64]) -> Views:
    image = centers[classes, random.integers(CLUSTERS, size=len(classes))]
    image += random.normal(size=image.shape).astype(np.float32)
    mirror = image + 0.2 * random.normal(size=image.shape).astype(np.float32)
    return np.maximum(np.stack([image, mirror], axis=1), 0).astype(np.float16)


def _pictures(random: np.random.Generator, count: int) -> NDArray[np.uint8]:
    weights = resize_matrix(0.0, 1.0, COARSE_SIDE, SIDE)
    coarse = random.uniform(0, 255, size=(count, COARSE_SIDE, COARSE_SIDE)).astype(np.float32)
    return np.rint(weights @ coarse @ weights.T).clip(0, 255).astype(np.uint8)


def _repeat(random: np.random.Generator, views: Views, pictures: NDArray[np.uint8], classes: NDArray[np.int64]) -> None:
    """Makes every hundredth image a near copy of the one before it."""
    copies = np.arange(COPY_EVERY - 1, len(views), COPY_EVERY)
    noise = 0.05 * random.normal(size=views[copies].shape)
    views[copies] = np.maximum(views[copies - 1] + noise, 0)
    pictures[copies] = (pictures[copies - 1] * 0.9).astype(np.uint8)
    classes[copies] = classes[copies - 1]


if __name__ == "__main__":
    main()
