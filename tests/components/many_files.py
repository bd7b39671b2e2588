"""A prepared dataset in many small files, on this disk or in object storage."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from components.artifacts import Examples
from components.ingest.writing import serializer, write_records
from components.object_storage import RemoteFile, RemoteFolder
from components.streamed_files import StreamedFiles

FEATURES = tfds.features.FeaturesDict(
    {
        "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
        "label": tfds.features.ClassLabel(names=["dark", "light"]),
    }
)


def many_files(folder: Path, count: int, files: int, validation: int = 0, side: int = 16) -> Examples:
    """Noise of two classes that brightness tells apart, `count` images in about so many files of one length each."""
    random, serialize = np.random.default_rng(0), serializer(FEATURES)

    def records(number: int) -> list[bytes]:
        noise = random.integers(0, 128, (number, side, side, 3), np.uint8)
        return [serialize({"image": each + 120 * (n % 2), "label": n % 2}) for n, each in enumerate(noise)]

    directory = folder / "many" / "1.0.0"
    splits = {"train": records(count)} | ({"validation": records(validation)} if validation else {})
    file_bytes = sum(16 + len(each) for each in splits["train"]) // files - 100
    write_records(directory, "many/1.0.0", FEATURES, splits, shard_bytes=file_bytes)
    return Examples(
        folder=folder,
        dataset="many/1.0.0",
        content="",
        directory=directory,
        splits={name: name for name in splits},
        example_counts={name: len(each) for name, each in splits.items()},
        class_names=("dark", "light"),
        image_shape=(side, side, 3),
    ).write()


def file_sizes(examples: Examples) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in examples.prepared_directory.glob("*.tfrecord*")}


class Recorded(StreamedFiles):
    """Notes which files were asked for."""

    def __init__(self, remote: RemoteFolder, files: Sequence[RemoteFile], folder: Path, max_bytes: int) -> None:
        super().__init__(remote, files, folder, max_bytes)
        self.names: list[str] = []

    def in_turn(self, names: Sequence[str], readers: int = 1) -> Iterator[Path]:
        self.names += names
        return super().in_turn(names, readers)


def in_bucket(examples: Examples, url: str, folder: Path, max_bytes: int) -> Examples:
    """The same images, of whose files only the small ones are on this disk."""
    remote, small = RemoteFolder(url), folder / "small"
    names = [path.name for path in examples.prepared_directory.iterdir()]
    remote.upload(examples.prepared_directory, names)
    listed = remote.files()
    large = [file for file in listed if ".tfrecord" in file.name]
    remote.fetch([file for file in listed if file not in large], small)
    streamed = Recorded(remote, large, folder / "files", max_bytes)
    return examples.model_copy(update={"directory": small, "streamed": streamed})


def recorded(examples: Examples) -> Recorded:
    assert isinstance(examples.streamed, Recorded)
    return examples.streamed


class Watch:
    peak_bytes = 0
    names: set[str]


@contextmanager
def watched(folder: Path, part: str = "") -> Iterator[Watch]:
    """Looks all the time at what a folder holds, or those below it that are called so."""
    watch, ended = Watch(), threading.Event()
    watch.names = set()

    def look() -> None:
        while not ended.wait(0.001):
            sizes = {path: size for path, size in _sizes(folder) if not part or part in path.parts}
            watch.peak_bytes = max(watch.peak_bytes, sum(sizes.values()))
            watch.names |= {path.name for path in sizes}

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join()


def _sizes(folder: Path) -> Iterator[tuple[Path, int]]:
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            with suppress(FileNotFoundError):
                yield path, path.stat().st_size
