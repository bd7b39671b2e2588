from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from components import dataset_reader
from components.artifacts import Examples
from components.normalize.batches import read_in_batches
from components.push.drawn_images import read_drawn
from components.stored_records import read_spans
from components.train.data import StreamedBatches, batches, read_in_order
from components.untuned import untuned

ALL = np.full(96, True)
READERS: dict[str, Callable[[Examples], tf.data.Dataset]] = {
    "read": lambda tiny: dataset_reader.read(tiny, "train"),
    "read_with_features": lambda tiny: dataset_reader.read_with_features(tiny, "train", []),
    "read_resized": lambda tiny: dataset_reader.read_resized(tiny, "train", 24, 24),
    "read_encoded": lambda tiny: dataset_reader.read_encoded(tiny, "train"),
    "read_chosen": lambda tiny: dataset_reader.read_chosen(tiny, "train", ALL),
    "read_chosen_resized": lambda tiny: dataset_reader.read_chosen_resized(tiny, "train", ALL, 24, 24),
    "read_spans": lambda tiny: read_spans(tiny, [dataset_reader.file_spans(tiny, "train")])(0),
    "read_in_batches": lambda tiny: read_in_batches(tiny, "train", 10),
    "read_drawn": lambda tiny: read_drawn(tiny, "train", np.arange(5), 24, 24),
    "read_in_order": lambda tiny: read_in_order(tiny, "train", 24, 24),
    "an epoch in memory": lambda tiny: batches(tiny, "train", 24, 24, 1).epoch(0, 10, 0),
    "a split in memory": lambda tiny: batches(tiny, "train", 24, 24, 1).in_order(),
    "an epoch of a stream": lambda tiny: streamed(tiny).epoch(0, 10, 0),
    "a split of a stream": lambda tiny: streamed(tiny).in_order(),
}


def streamed(tiny: Examples) -> StreamedBatches:
    return StreamedBatches(96, tiny, "train", 24, 24, buffered_images=20)


@pytest.mark.parametrize("reader", READERS)
def test_nothing_that_reads_images_is_tuned(tiny: Examples, reader: str) -> None:
    dataset = READERS[reader](tiny)
    assert dataset.options().autotune.enabled is False
    assert dataset.batch(2).prefetch(1).options().autotune.enabled is False


def test_the_elements_stay_as_they_are() -> None:
    numbers = untuned(tf.data.Dataset.range(100)).map(lambda number: 2 * number, num_parallel_calls=tf.data.AUTOTUNE)
    assert list(numbers.as_numpy_iterator()) == list(range(0, 200, 2))
