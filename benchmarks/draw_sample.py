"""Draws `cifar10_sample`, the dataset inside the package, from a prepared CIFAR-10.

It has 5,000 training and 1,000 test images, each class equally often, drawn without replacement from the split of the
same name. The seed is fixed and the encoded images are copied, so the same CIFAR-10 gives the same bytes again.

    python -m benchmarks.prepare_cifar10   # if TFDS has not prepared CIFAR-10 yet
    python -m benchmarks.draw_sample
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from components.ingest.order import interleave
from components.ingest.writing import write_dataset

SEED = 20090408  # the date of the report that describes CIFAR-10
IMAGES_PER_CLASS = {"train": 500, "test": 100}
VERSION = "1.0.0"
DESTINATION = Path(__file__).parents[1] / "components" / "datasets" / "cifar10_sample" / VERSION
DESCRIPTION = (
    "5,000 of the 50,000 training and 1,000 of the 10,000 test images of CIFAR-10 (32x32, RGB, 10 classes), "
    f"500 and 100 of each class, drawn by benchmarks/draw_sample.py with seed {SEED}. The classes take turns, so every "
    "slice of a split is balanced to within one image; `id` is the image's name in TFDS's cifar10."
)


def main() -> int:
    """Draws the sample and prints where it is. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, help="where TFDS keeps the prepared cifar10 (default: TFDS's own)")
    parser.add_argument("--output", type=Path, default=DESTINATION, help="the folder to write (default: the package)")
    arguments = parser.parse_args()
    cifar10 = tfds.builder("cifar10", data_dir=arguments.data_dir)
    if not cifar10.is_prepared():
        print(f"{cifar10.data_path} is not there; run python -m benchmarks.prepare_cifar10", file=sys.stderr)
        return 1
    write_sample(cifar10, arguments.output)
    size = sum(file.stat().st_size for file in arguments.output.iterdir())
    print(f"{arguments.output}: {size / 1e6:.1f} MB")
    return 0


def write_sample(cifar10: tfds.core.DatasetBuilder, output: Path) -> None:
    """Replaces the folder `output` with a prepared dataset of the drawn images."""
    shutil.rmtree(output, ignore_errors=True)
    write_dataset(
        output,
        f"cifar10_sample/{VERSION}",
        cifar10.info.features,
        {split: drawn_examples(cifar10, split, count) for split, count in IMAGES_PER_CLASS.items()},
        description=DESCRIPTION,
        homepage=cifar10.info.homepage,
        citation=cifar10.info.citation,
    )


def drawn_examples(cifar10: tfds.core.DatasetBuilder, split: str, images_per_class: int) -> Iterator[dict[str, Any]]:
    """Returns the drawn examples. The image of each is the bytes of its PNG."""
    stored = cifar10.as_dataset(split=split, decoders={"image": tfds.decode.SkipDecoding()})
    examples = sorted(tfds.as_numpy(stored), key=lambda example: example["id"])
    labels = np.array([example["label"] for example in examples])
    return (examples[index] for index in draw(labels, images_per_class, SEED))


def draw(labels: np.ndarray, images_per_class: int, seed: int) -> list[int]:
    """Returns indices of `images_per_class` randomly drawn images of each class. The classes take turns."""
    random = np.random.default_rng(seed)
    classes = range(labels.max() + 1)
    drawn = [random.choice(np.flatnonzero(labels == label), images_per_class, replace=False) for label in classes]
    return [int(index) for _, index in interleave(drawn)]


if __name__ == "__main__":
    sys.exit(main())
