"""Makes a dataset of any size with ImageNet's format: JPEG files of 224 pixels, as a folder and as a prepared dataset.

    python -m benchmarks.synthetic_images --images 10000 --classes 100 --folder /tmp/synthetic

Only a few images are encoded. The others are copies of these with other numbers in their quantization table. This is
as fast as copying, but no two images decode to the same pixels: ingest would find duplicates. Decoding takes as long as
for any other image.
"""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

SIDE_PIXELS = 224
TEST_SHARE = 10  # one image in ten is a test image
BASE_IMAGES = 400  # the number of encoded images; one per class, if that is more
_TABLE_MARKER = b"\xff\xdb\x00\x43\x00"  # before the 64 bytes of the luminance table
_CHANGED_ENTRIES = (1, 2)  # of the table, in zigzag order: the lowest frequencies beside the mean
_LARGEST_CHANGE = 40


class SyntheticImages:
    """The source of images of `class_count` classes, all of which are different."""

    def __init__(self, class_count: int) -> None:
        self.class_names = [f"class_{label:04d}" for label in range(class_count)]
        self._bases_per_class = max(1, BASE_IMAGES // class_count)
        self._random = np.random.default_rng(0)
        self._bases: dict[tuple[int, int], bytes] = {}

    def jpeg(self, label: int, index: int) -> bytes:
        """Returns an image of a class as JPEG, about 10 kB. Raises ValueError if the class has no more images."""
        change, base = divmod(index, self._bases_per_class)
        data = self._bases.get((label, base)) or self._bases.setdefault((label, base), self._encode(label))
        table = data.index(_TABLE_MARKER) + len(_TABLE_MARKER)
        changed = bytearray(data)
        changes = divmod(change, _LARGEST_CHANGE)
        if changes[0] >= _LARGEST_CHANGE:
            raise ValueError(f"a class can have {self._bases_per_class * _LARGEST_CHANGE**2} images, not {index + 1}")
        for entry, number in zip(_CHANGED_ENTRIES, changes, strict=True):
            changed[table + entry] += number
        return bytes(changed)

    def _encode(self, label: int) -> bytes:
        """Returns coarse blobs, in a color that depends on the class, with fine noise over them, as JPEG."""
        angle = 2 * np.pi * label / len(self.class_names)
        tint = 128 + 60 * np.cos(angle + np.array([0, 2, 4]) * np.pi / 3)
        coarse = np.clip(tint + self._random.normal(0, 40, (14, 14, 3)), 0, 255).astype(np.uint8)
        pixels = np.asarray(Image.fromarray(coarse).resize((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.BICUBIC))
        noisy = pixels + self._random.normal(0, 7, pixels.shape)
        file = io.BytesIO()
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=75)
        return file.getvalue()


def split_sizes(image_count: int) -> dict[str, int]:
    """Returns the number of images per split: {"test": 1000, "train": 9000} for 10,000."""
    return {"test": image_count // TEST_SHARE, "train": image_count - image_count // TEST_SHARE}


def split_images(images: SyntheticImages, image_count: int) -> Iterator[tuple[str, int, int]]:
    """Yields (split, label, index in the class) of every image. In each split the classes take turns."""
    taken = [0] * len(images.class_names)
    for split, count in split_sizes(image_count).items():
        for place in range(count):
            label = place % len(taken)
            yield split, label, taken[label]
            taken[label] += 1


def write_folder(folder: Path, images: SyntheticImages, image_count: int) -> Path:
    """Writes the images as `<folder>/<split>/<class>/<index>.jpg` and returns the folder."""
    for split in split_sizes(image_count):
        for name in images.class_names:
            (folder / split / name).mkdir(parents=True)
    for split, label, index in split_images(images, image_count):
        (folder / split / images.class_names[label] / f"{index:07d}.jpg").write_bytes(images.jpeg(label, index))
    return folder


def write_prepared(directory: Path, images: SyntheticImages, image_count: int) -> Path:
    """Writes the same images as a prepared dataset with the features of `imagenet2012`, and returns its directory.

    `tfds.builder_from_directory` reads it.
    """
    import tensorflow_datasets as tfds

    from components.ingest.writing import write_dataset

    features = tfds.features.FeaturesDict(
        {
            "file_name": tfds.features.Text(),
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
            "label": tfds.features.ClassLabel(names=images.class_names),
        }
    )
    rows = split_images(images, image_count)
    examples = {
        split: (
            {"file_name": f"{label}_{index}.JPEG", "image": images.jpeg(label, index), "label": label}
            for _, label, index in islice(rows, count)
        )
        for split, count in split_sizes(image_count).items()
    }
    write_dataset(directory, "synthetic_images/1.0.0", features, examples)
    return directory


def main() -> None:
    """Writes the images and prints the paths of the folder and of the prepared dataset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--folder", type=Path, required=True, help="where to write `images` and `prepared`")
    options = parser.parse_args()
    if options.images // TEST_SHARE < options.classes:
        parser.error(f"--images {options.images}: the test split has a tenth of them, and needs one of each class")
    images = SyntheticImages(options.classes)
    print(write_folder(options.folder / "images", images, options.images))
    print(write_prepared(options.folder / "prepared", images, options.images))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
