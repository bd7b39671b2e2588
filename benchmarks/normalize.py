"""Measures normalize beside the decoder alone: 224-pixel JPEG files, the CIFAR-10 sample, photos of 512 pixels.

    python -m benchmarks.normalize --images 2000 --rounds 3 --work /tmp/normalize

"Decoder" decodes the stored bytes, which are in memory, and does nothing else; "read" is `dataset_reader.read`, from
the stored files; "scan" is normalize's pass over the images, without Beam, which takes the same time however many there
are. All three use the threads of one process. They are measured in turns, after a first round that is not counted;
times are milliseconds an image, the medians of all rounds. "CPU" is the time of all threads, which remains comparable
on a busy machine.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from components.artifacts import Examples

SIDES = (32, 224, 512)  # pixels of the shorter side
_DRAWN_PHOTOS = 8  # of 512 pixels; the others are copies
_SAMPLE = Path(__file__).parents[1] / "components/datasets/cifar10_sample/1.0.0"


class Measured(NamedTuple):
    """The measurement of one way to go through the images."""

    side_pixels: int
    what: str
    images: int
    milliseconds: float  # of an image
    cpu_milliseconds: float


def prepare(side: int, images: int, work: Path) -> Examples:
    """Makes a prepared dataset of about so many images, unless it is there already; the sample has its own number."""
    from benchmarks.synthetic_images import SyntheticImages, write_prepared

    if side == 32:
        return _examples(_SAMPLE, (32, 32, 3))
    directory = work / f"{images}-images-{side}"
    if not directory.exists():
        if side == 224:
            write_prepared(directory, SyntheticImages(10), images)
        else:
            _write_photos(directory, side, images)
    return _examples(directory, (None, None, 3))


def _write_photos(directory: Path, side: int, images: int) -> None:
    import tensorflow_datasets as tfds

    from benchmarks.ingest import draw
    from components.ingest.writing import write_dataset

    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
            "label": tfds.features.ClassLabel(names=["a", "b"]),
        }
    )
    files = []
    for number in range(_DRAWN_PHOTOS):
        size, file = ((side, 4 * side // 3), (4 * side // 3, side))[number % 2], io.BytesIO()
        draw(number, (2 * size[0], 2 * size[1])).resize(size).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    counts = {"train": images - images // 10, "test": images // 10}
    examples = {
        split: ({"image": files[index % _DRAWN_PHOTOS], "label": index % 2} for index in range(count))
        for split, count in counts.items()
    }
    write_dataset(directory, "photos/1.0.0", features, examples)


def _examples(directory: Path, shape: tuple[int | None, ...]) -> Examples:
    import tensorflow_datasets as tfds

    from components.artifacts import Examples

    info = tfds.builder_from_directory(directory).info
    return Examples(
        folder=directory,
        dataset=info.full_name,
        content="0" * 64,
        directory=directory,
        splits={split: split for split in ("train", "test")},
        example_counts={split: info.splits[split].num_examples for split in ("train", "test")},
        class_names=tuple(info.features["label"].names),
        image_shape=shape,
    )


def measure(side: int, examples: Examples, rounds: int) -> list[Measured]:
    """Measures all ways in turns, and returns the medians."""
    count = sum(examples.example_counts.values())
    ways = {"decoder": _decoder(examples), "read": lambda: _read(examples), "scan": lambda: _scan(examples)}
    times: dict[str, list[tuple[float, float]]] = {what: [] for what in ways}
    for round_ in range(rounds + 1):
        for what, way in ways.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            way()
            seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
            if round_:
                times[what].append((1000 * seconds / count, 1000 * cpu_seconds / count))
    return [
        Measured(side, what, count, *(median(each) for each in zip(*pairs, strict=True)))
        for what, pairs in times.items()
    ]


def _decoder(examples: Examples) -> Callable[[], None]:
    """Returns a function that decodes all images from memory, in parallel."""
    import tensorflow as tf

    from components import dataset_reader

    encoded = [
        data
        for split in examples.splits
        for data, _ in dataset_reader.read_encoded(examples, split).as_numpy_iterator()
    ]

    def decode() -> None:
        files = tf.data.Dataset.from_tensor_slices(tf.constant(encoded))
        sizes = files.map(lambda data: tf.size(tf.io.decode_image(data, 3, expand_animations=False)), tf.data.AUTOTUNE)
        for _ in sizes.batch(64):
            pass

    return decode


def _read(examples: Examples) -> None:
    import tensorflow as tf

    from components import dataset_reader

    for split in examples.splits:
        for _ in dataset_reader.read(examples, split).map(lambda image, _: tf.size(image)).batch(64):
            pass


def _scan(examples: Examples) -> None:
    from components.normalize import NormalizeConfig, scan

    for shard in scan.plan(examples, NormalizeConfig().shard_examples):
        for _ in scan.scan_shard(shard):
            pass


def table(rows: list[Measured]) -> str:
    """Returns a table with a row for each measurement, and its CPU time divided by that of the decoder."""
    lines = ["| shorter side | what | images | ms/image | CPU ms/image | / decoder |", "|---|---|---|---|---|---|"]
    decoders = {row.side_pixels: row.cpu_milliseconds for row in rows if row.what == "decoder"}
    for row in rows:
        lines.append(
            f"| {row.side_pixels} | {row.what} | {row.images:,} | {row.milliseconds:.2f} | {row.cpu_milliseconds:.2f} "
            f"| {row.cpu_milliseconds / decoders[row.side_pixels]:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Makes the data, measures, and prints the table and all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000, help="of 224 pixels; a tenth as many have 512")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sides", type=int, nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the images")
    options = parser.parse_args()
    rows: list[Measured] = []
    for side in options.sides:
        images = options.images // 10 if side == max(SIDES) else options.images
        rows += measure(side, prepare(side, images, options.work.absolute()), options.rounds)
        print(rows[-3:], file=sys.stderr, flush=True)
    print(table(rows))
    print(json.dumps([row._asdict() for row in rows]))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
