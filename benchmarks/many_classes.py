"""Measures what an evaluation of many images in many classes takes beyond the prediction.

    python -m benchmarks.many_classes --images 50000 --classes 1000

The predictions of two models are random numbers that favour the label; making them is not counted. What is measured is
the Beam graph from predictions to the figures of TFMA in every slice (by class, brightness, contrast and size), and
what follows on one worker: areas under curves, calibration errors, intervals and changes. Seconds are the processor's;
the peak memory is the process's, with the predictions of both models in it.
"""

from __future__ import annotations

import argparse
import pickle
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.evaluate.prediction import Predictions
from components.evaluate.properties import BINS

ROW = "{:<36} {:>12} {:>8}"
SHARD_EXAMPLES = 1000
TOP_K = 5


def main() -> None:
    """Prints the processor seconds of each part, and the peak memory after it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=1000)
    options = parser.parse_args()
    print(ROW.format(f"{options.images:,} images, {options.classes:,} classes", "CPU seconds", "GB"))
    with timed("imports of Beam and TFMA"):
        import apache_beam as beam
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner

        from components.evaluate.analysis import Analyze
        from components.evaluate.measures import measure

    with tempfile.TemporaryDirectory() as folder:
        files = write_shards(Path(folder), options.images, options.classes)
        with timed("figures by TFMA, in the graph"), beam.Pipeline(runner=FnApiRunner()) as pipeline:
            shards = pipeline | beam.Create(files) | beam.Map(read_shard)
            _ = shards | Analyze(TOP_K)
        whole = concatenated([read_shard(file) for file in files])
    names = tuple(f"class {number}" for number in range(options.classes))
    with timed("intervals and changes"):
        found = sum(1 for _ in measure(whole, names, TOP_K))
    print(f"{found:,} figures with intervals")


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints the processor seconds of the block, and the process's peak memory after it."""
    started = time.process_time()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(ROW.format(what, f"{time.process_time() - started:.1f}", f"{peak:.2f}"), flush=True)


def write_shards(folder: Path, images: int, classes: int) -> list[Path]:
    """Writes the predictions of shards of at most 1,000 images, a file each."""
    random = np.random.default_rng(0)
    files = []
    for start in range(0, images, SHARD_EXAMPLES):
        files.append(folder / f"{start}.pickle")
        files[-1].write_bytes(pickle.dumps(predictions(random, min(SHARD_EXAMPLES, images - start), classes)))
    return files


def read_shard(file: Path) -> Predictions:
    """Reads what `write_shards` wrote."""
    return pickle.loads(file.read_bytes())


def predictions(random: np.random.Generator, count: int, classes: int) -> Predictions:
    """Makes predictions of two models for random labels."""
    labels = random.integers(0, classes, count)
    slices = {
        name: np.array([label for _, label in bins])[random.integers(0, len(bins), count)]
        for name, bins in BINS.items()
    }
    return Predictions(labels, said(random, labels, classes), said(random, labels, classes), slices)


def said(random: np.random.Generator, labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Makes probabilities, float32 (n, classes), of which the label's is often the largest."""
    scores = np.exp(2 * random.normal(size=(len(labels), classes)).astype(np.float32))
    scores[np.arange(len(labels)), labels] *= np.exp(2 * 3.5)
    return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


def concatenated(shards: list[Predictions]) -> Predictions:
    """Returns the predictions of all shards as one."""
    labels, own, other, slices = zip(*shards, strict=True)
    return Predictions(
        np.concatenate(labels),
        np.concatenate(own),
        np.concatenate(other),
        {name: np.concatenate([each[name] for each in slices]) for name in slices[0]},
    )


if __name__ == "__main__":
    main()
