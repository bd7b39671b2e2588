from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Examples
from components.dataset_reader import Span, file_spans, read_encoded
from components.stored_records import read_spans
from tests.components.many_files import file_sizes, in_bucket, many_files, recorded, watched

FAIL_EVERY = 31


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return many_files(tmp_path_factory.mktemp("many"), 400, 20)


def pairs(dataset: tf.data.Dataset) -> list[tuple[bytes, int]]:
    return [(data, int(label)) for data, label in dataset.as_numpy_iterator()]


def test_spans_are_read_as_they_are_stored(many: Examples) -> None:
    stored, files = pairs(read_encoded(many, "train")), file_spans(many, "train")
    assert len(files) > 10
    part = Span("train", files[5].start + 3, files[5].stop - 2)
    read = read_spans(many, [files, [], [part, files[2], files[0], files[2]]])
    assert pairs(read(0)) == stored
    assert pairs(read(1)) == []
    expected = (part, files[2], files[0], files[2])
    assert pairs(read(2)) == [each for span in expected for each in stored[span.start : span.stop]]


def test_of_several_splits_and_in_a_graph(tiny: Examples) -> None:
    both = tiny.model_copy(update={"splits": {"train": "train[:10%]+test[40:]"}})
    read = read_spans(both, [file_spans(both, "train")] * 3)
    together = tf.data.Dataset.range(3).interleave(read, cycle_length=3)
    stored = pairs(read_encoded(tiny, "train[:10%]+test[40:]"))
    assert pairs(together) == [each for each in stored for _ in range(3)]


def test_of_files_in_object_storage_only_a_few_are_on_the_disk(many: Examples, url: str, tmp_path: Path) -> None:
    sizes = file_sizes(many)
    bound = sum(sizes.values()) // 6
    distant, files = in_bucket(many, url, tmp_path, bound), file_spans(many, "train")
    with watched(tmp_path / "files") as watch:
        assert pairs(read_spans(distant, [files])(0)) == pairs(read_encoded(many, "train"))
    assert max(sizes.values()) <= watch.peak_bytes <= bound
    assert sorted(recorded(distant).names) == sorted(sizes)
    assert not list((tmp_path / "files").iterdir())


def test_a_reader_that_is_dropped_leaves_no_file(many: Examples, url: str, tmp_path: Path) -> None:
    distant = in_bucket(many, url, tmp_path, 10**9)
    iterator = iter(read_spans(distant, [file_spans(many, "train")])(0))
    next(iterator)
    assert list((tmp_path / "files").rglob("*.tfrecord*"))
    del iterator
    assert not list((tmp_path / "files").iterdir())


def test_images_are_the_same_from_storage(many: Examples, url: str, tmp_path: Path) -> None:
    from components.train.data import read_in_order

    here, there = (
        list(read_in_order(examples, "train", 16, 16).as_numpy_iterator())
        for examples in (many, in_bucket(many, url, tmp_path, 10**9))
    )
    np.testing.assert_array_equal(*(np.stack([image for image, _ in images]) for images in (here, there)))
