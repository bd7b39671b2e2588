"""Measures how many copies of images `inspect` finds, and how many of its pairs are right, by the kind of change.

    python -m benchmarks.near_copies --copies 500

The images are the embedded sample, 6,000. For each kind of change, copies of some of them are added and near copies are
looked for. A pair counts as wrong if its images are no copies of one image, and no near copies in the sample itself
either: those are listed once, to be looked at. Seconds are of the processor, without the features.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.changed_images import CHANGES, changed
from components.backbone.efficientnet_lite import EfficientNetLite
from components.findings import Finding
from components.images.resize import crop_and_resize
from components.ingest.sources import EMBEDDED, find_prepared
from components.inspect.near_copies import find_near_copies
from components.inspect.thumbnails import thumbnail
from components.inspect.vectors import SplitVectors

ROW = "{:<20} {:>8} {:>10} {:>12} {:>8}"
BATCH = 32
Pixels = NDArray[np.uint8]


def main() -> None:
    """Prints a row for each kind of change."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, help="so many of the sample's first images; all if not given")
    parser.add_argument("--copies", type=int, default=500, help="copies of each kind")
    parser.add_argument("--image_size_pixels", type=int, default=160, help="of the images that the network sees")
    options = parser.parse_args()
    images, size = read_sample()[: options.images], options.image_size_pixels
    chosen = np.random.default_rng(0).choice(len(images), options.copies, replace=False)
    views = embed(images, size)
    found = find(images, views)
    clean = pairs_of(found)
    print(f"the sample itself: {len(found)} groups, {len(clean)} pairs: {sorted(clean)}")
    print(ROW.format("change", "recall", "precision", "wrong pairs", "seconds"), flush=True)
    for change in CHANGES:
        copies = [changed(images[index], change) for index in chosen]
        started = time.process_time()
        seconds_of_features = -time.process_time()
        all_views = np.concatenate([views, embed(copies, size)])
        seconds_of_features += time.process_time()
        pairs = pairs_of(find(images + copies, all_views))
        seconds = time.process_time() - started - seconds_of_features
        wanted = {(int(index), len(images) + number) for number, index in enumerate(chosen)}
        origin = [*range(len(images)), *chosen.tolist()]
        new = [pair for pair in pairs if pair[1] >= len(images)]
        wrong = sum(not _same(origin[left], origin[right], clean) for left, right in new)
        recall, precision = len(wanted & pairs) / len(wanted), 1 - wrong / max(1, len(new))
        print(ROW.format(change, f"{recall:.1%}", f"{precision:.1%}", f"{wrong} of {len(new)}", f"{seconds:.1f}"))


def _same(left: int, right: int, clean: set[tuple[int, int]]) -> bool:
    return left == right or (min(left, right), max(left, right)) in clean


def read_sample() -> list[Pixels]:
    """Reads the images of both splits of the embedded sample."""
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(find_prepared("cifar10_sample", EMBEDDED))
    return [
        example["image"]
        for split in ("train", "test")
        for example in builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator()
    ]


def embed(images: list[Pixels], size: int) -> NDArray[np.float16]:
    """Computes the features of images and their mirror images, (n, 2, features)."""
    network = EfficientNetLite("EfficientNetLite0")
    run = tf.function(lambda batch: network(tf.cast(batch, tf.float32)), autograph=False, reduce_retracing=True)
    parts = []
    for first in range(0, len(images), BATCH):
        batch = tf.stack([crop_and_resize(tf.constant(image), size, size) for image in images[first : first + BATCH]])
        parts.append(np.stack([run(view).numpy() for view in (batch, tf.reverse(batch, [2]))], axis=1))
    return np.concatenate(parts).astype(np.float16)


def find(images: list[Pixels], views: NDArray[np.float16]) -> list[Finding]:
    """Finds near copies as the component does."""
    numbers = np.arange(len(images))
    digests = np.zeros((len(images), 16), np.uint8)  # all different: none is a copy by its bytes alone
    digests[:, :8] = numbers.astype("<u8").view(np.uint8).reshape(-1, 8)
    vectors = SplitVectors("train", np.zeros(len(images), np.int64), digests, views)
    return find_near_copies([vectors], {"train": np.stack([thumbnail(image) for image in images])})


def pairs_of(found: list[Finding]) -> set[tuple[int, int]]:
    """Returns the pairs in all groups, the lower index first."""
    return {
        (left.index, right.index) for finding in found for left, right in combinations(finding.images, 2)
    }  # images of a group are sorted


if __name__ == "__main__":
    main()
