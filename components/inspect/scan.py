"""Builds the Beam graph of the pass over the pixels: each shard leaves a small file with what the finders need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from components import dataset_reader
from components.artifacts import Embeddings, Examples
from components.component import ComponentError, Workspace
from components.file_exchange import FileExchange
from components.files import write_arrays
from components.inspect.allocation import allocate
from components.inspect.pixel_measures import measure
from components.inspect.thumbnails import SIDE, thumbnail

FOLDER = "pixels"  # in the scratch folder, which is removed when the findings are committed
_READ_AHEAD = 8


@dataclass(frozen=True)
class Shard:
    """Consecutive images of one split, and the file for what is seen of them."""

    examples: Examples  # without the class names
    split: str
    slice: str  # in TFDS's syntax
    file: Path
    exchange: FileExchange


@dataclass(frozen=True)
class Scanned:
    """A shard that was scanned."""

    split: str
    images: int
    file: str  # its name


class Pixels(NamedTuple):
    """What the scan has left of a split's images, in its order."""

    thumbnails: NDArray[np.uint8]  # (n, SIDE, SIDE)
    measures: NDArray[np.float32]  # (n, fields of PixelMeasures)
    files: NDArray[np.bytes_]  # (n,), names in UTF-8; empty if the dataset was not made of files


def plan(workspace: Workspace, examples: Examples, embeddings: Embeddings, examples_per_shard: int) -> Iterator[Shard]:
    """Yields the shards of every split. Raises ComponentError if a split has no vectors."""
    without = [split for split in examples.splits if not embeddings.image_counts.get(split)]
    if without:
        raise ComponentError(
            f"The embeddings have no vectors of {', '.join(without)}, and inspect looks at all splits. Set "
            "embed.test_split to true."
        )
    nameless = examples.model_copy(update={"class_names": ()})
    # The shards of two sizes have other files, and those of other attempts at the same work the same content.
    folder = workspace.scratch / FOLDER
    folder.mkdir(exist_ok=True)
    for split in examples.splits:
        spans = dataset_reader.shard_spans(examples, split, examples_per_shard)
        for number, span in enumerate(spans):
            file = folder / f"{split}-{number:05d}-of-{len(spans):05d}.npz"
            yield Shard(nameless, split, span.slice, file, workspace.exchange)


def scan(shards: beam.PCollection) -> beam.PCollection:
    """Builds the graph that gives one `Scanned` for each shard."""
    return shards | "ScanPixels" >> beam.Map(scan_shard)


def scan_shard(shard: Shard) -> Scanned:
    """Writes the file of one shard."""
    named = dataset_reader.FILE in dataset_reader.features_of(shard.examples)
    features = (dataset_reader.FILE,) if named else ()
    images = dataset_reader.read_with_features(shard.examples, shard.slice, features).prefetch(_READ_AHEAD)
    thumbnails, measures, files = [], [], []
    for image, _, more in images.as_numpy_iterator():
        thumbnails.append(thumbnail(image))
        measures.append(measure(image))
        files.append(more.get(dataset_reader.FILE, b""))
    columns = Pixels(np.stack(thumbnails), np.array(measures, np.float32), np.array(files, np.bytes_))
    write_arrays(shard.file, columns._asdict())
    shard.exchange.put(shard.file)
    return Scanned(shard.split, len(files), shard.file.name)


def read_pixels(workspace: Workspace, results: list[Scanned], split: str) -> Pixels:
    """Reads what the shards of one split have left, in its order; the thumbnails into a file."""
    shards = {result.file: result for result in results if result.split == split}
    thumbnails = allocate((sum(each.images for each in shards.values()), SIDE, SIDE), np.uint8, workspace.scratch)
    measures, files, first = [], [], 0
    for name, shard in sorted(shards.items()):
        with np.load(workspace.scratch / FOLDER / name) as columns:
            thumbnails[first : first + shard.images] = columns["thumbnails"]
            measures.append(columns["measures"])
            files.append(columns["files"])
        first += shard.images
    return Pixels(thumbnails, np.concatenate(measures), np.concatenate(files))
