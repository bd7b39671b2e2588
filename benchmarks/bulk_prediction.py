"""Measures bulk prediction beside the bare model: how many photos a second one process does, and what it holds.

    python -m benchmarks.bulk_prediction --photos 1000 --rounds 3 --model_threads 1 --work /tmp/bulk

"bare" classifies images that lie in memory in the model's size, at each of several numbers at once; the fastest of them
counts. "bulk" is what a worker does with JPEG files of 224 pixels on disk: it reads, decodes, turns and resizes them,
classifies them, and writes the rows, a shard at a time. Both take turns in one process, on all cores, with the model
loaded. "rate" is bulk divided by bare, round by round. With `--model_threads 1`, TensorFlow computes in one thread, and
the other cores are free for decoding; without it, TensorFlow takes all cores, and decoding takes its time from the
model. "peak" is the memory of the process at its largest, with TensorFlow. The start of Beam and the listing are left
out: see `benchmarks.million_photos`.

The model is a published version, or, without `--pipeline_root`, EfficientNet-Lite0 at 224 pixels with the 1,000 classes
of ImageNet.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.synthetic_images import SIDE_PIXELS, SyntheticImages

if TYPE_CHECKING:
    import tensorflow as tf

    from pipeline.predict.served import ServedModel

CLASSES = 10
BACKBONE = "EfficientNetLite0"


class Taken(NamedTuple):
    """The seconds that one way took, by the clock and of the processor in all threads."""

    clock: float
    processor: float


class Round(NamedTuple):
    """What both ways took for all photos."""

    bare: Taken
    bare_images: int  # at once
    bulk: Taken

    @property
    def rate(self) -> float:
        """How fast bulk prediction is, as a fraction of the bare model."""
        return self.bare.clock / self.bulk.clock


def main() -> None:
    """Prints a line for each round, the medians, and all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--pipeline_root", type=Path, metavar="DIR", help="takes the latest version that is published there")
    add("--photos", type=int, default=1000)
    add("--rounds", type=int, default=3)
    add("--model_threads", type=int, default=0, metavar="N", help="of TensorFlow; 0: one a core")
    add("--bare_images", type=int, nargs="+", default=[], metavar="N", help="at once, beside those of bulk prediction")
    add("--work", type=Path, required=True, help="a folder for the photos; needs 12 kB for each")
    options = parser.parse_args()
    work = options.work.absolute()
    folder = write_photos(work / f"{options.photos}-photos", options.photos)
    import tensorflow as tf

    from pipeline.predict.served import find_version, load

    tf.config.threading.set_intra_op_parallelism_threads(options.model_threads)
    root = options.pipeline_root
    version = find_version(root.absolute()) if root else make_version(work / "network" / "1")
    measure(load(version), folder, options.rounds, options.bare_images)


def write_photos(folder: Path, count: int) -> Path:
    """Writes JPEG files of 224 pixels, unless they are there already, and returns the folder."""
    images = SyntheticImages(CLASSES)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        file = folder / f"{number:06d}.jpg"
        if not file.exists():
            file.write_bytes(images.jpeg(number % CLASSES, number // CLASSES))
    return folder


def make_version(folder: Path) -> Path:
    """Writes the network as a version that `pipeline.predict` can load, unless it is there already."""
    import tensorflow as tf

    from components.backbone.efficientnet_lite import EfficientNetLite, imagenet_head
    from components.backbone.weights import load_weights

    weights = load_weights(BACKBONE)
    network, (matrix, bias) = EfficientNetLite(BACKBONE, weights), imagenet_head(weights)

    def classify(images: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(network(images) @ matrix + bias)

    return save_version(folder, network, classify, SIDE_PIXELS, matrix.shape[1])


def save_version(
    folder: Path, network: tf.Module, classify: Callable[[tf.Tensor], tf.Tensor], side: int, classes: int
) -> Path:
    """Writes a version, unless it is there already.

    `classify` makes probabilities (n, classes) of images, float32 (n, side, side, 3), 0-255, with the variables of
    `network`.
    """
    import tensorflow as tf

    from components.registry.layout import MODEL_CARD
    from pipeline.predict.served import Card

    card = folder / MODEL_CARD
    if card.exists():
        return folder

    @tf.function(input_signature=[tf.TensorSpec((None, side, side, 3), tf.uint8, "image")])
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": classify(tf.cast(image, tf.float32))}

    tf.saved_model.save(network, str(folder), signatures={"serving_default": serve})
    names = tuple(f"class_{label:04d}" for label in range(classes))
    card.parent.mkdir(exist_ok=True)
    card.write_text(Card(class_names=names, image_height=side, image_width=side).model_dump_json())
    return folder


def measure(model: ServedModel, folder: Path, rounds: int, bare_images: Sequence[int]) -> None:
    """Lets the bare model and the whole of bulk prediction take turns."""
    from components.batch_size import max_batch_size
    from pipeline.predict.bulk import MOST_IMAGES, predict
    from pipeline.predict.photo_source import FolderSource
    from pipeline.predict.rows_folder import RowsFolder
    from pipeline.predict.shards import cut

    source, rows = FolderSource(str(folder)), RowsFolder(f"{folder}-rows")
    shards = list(cut(source.photos(), "benchmark"))
    height, width, count = model.card.image_height, model.card.image_width, sum(len(shard.names) for shard in shards)
    at_once = sorted({max_batch_size(height, width, MOST_IMAGES), *bare_images})
    random = np.random.default_rng(0)
    images = {size: random.integers(0, 255, (size, height, width, 3), np.uint8) for size in at_once}

    def bare(size: int) -> Taken:
        batches = -(-count // size)
        taken = _taken(lambda: [model.classify(images[size]) for _ in range(batches)])
        return Taken(*(seconds * count / (batches * size) for seconds in taken))

    def bulk() -> None:
        for shard in shards:
            rows.write(shard.digest, list(predict(model, source.find(shard.names))))

    for size in at_once:
        model.classify(images[size])  # the first one builds the graph
    next(predict(model, source.find(shards[0].names[:1])))
    figures = []
    for number in range(rounds):
        alone, size = min((bare(size), size) for size in at_once)
        figures.append(Round(alone, size, _taken(bulk)))
        print(f"round {number + 1}: {_told(figures[-1], count)}", flush=True)
    rate = median(taken.rate for taken in figures)
    print(f"{count} photos of 224 pixels, model of {height} x {width} and {len(model.card.class_names)} classes:")
    print(f"rate {rate:.3f}, peak {_peak_megabytes():.0f} MB")
    print(json.dumps({"rounds": figures, "peak_megabytes": _peak_megabytes()}))


def _told(taken: Round, count: int) -> str:
    bare, bulk = taken.bare, taken.bulk
    return (
        f"bare {count / bare.clock:.1f} with {taken.bare_images} at once, bulk {count / bulk.clock:.1f} a second, rate "
        f"{taken.rate:.3f}; processor ms each: bare {1000 * bare.processor / count:.1f}, bulk "
        f"{1000 * bulk.processor / count:.1f}"
    )


def _taken(work: Callable[[], object]) -> Taken:
    started = time.perf_counter(), time.process_time()
    work()
    return Taken(time.perf_counter() - started[0], time.process_time() - started[1])


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
