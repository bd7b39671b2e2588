from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from components.artifacts import Examples
from components.dataset_reader import Span, read, read_resized, shard_spans, spans, to_rgb

STORED = {"train": tfds.core.SplitInfo("train", [60, 40], 0), "test": tfds.core.SplitInfo("test", [30], 0)}


@pytest.mark.parametrize(
    ("slice_", "expected"),
    [
        ("train", [Span("train", 0, 100)]),
        ("train[:96%]", [Span("train", 0, 96)]),
        ("train[96%:]", [Span("train", 96, 100)]),
        ("train[-10:]", [Span("train", 90, 100)]),
        ("train[1shard]", [Span("train", 60, 100)]),
        ("test[:5]+train[5:10]", [Span("test", 0, 5), Span("train", 5, 10)]),
        ("all", [Span("train", 0, 100), Span("test", 0, 30)]),
        ("train[50:50]+test", [Span("test", 0, 30)]),
        ("train[50:10]", []),
    ],
)
def test_spans_are_what_a_slice_names(slice_: str, expected: list[Span]) -> None:
    assert spans(slice_, STORED) == expected


def test_spans_speak_tfds_again() -> None:
    assert spans(Span("train", 5, 10).slice, STORED) == [Span("train", 5, 10)]


@pytest.mark.parametrize("slice_", ["tests", "train[:101]", "train[", ""])
def test_spans_refuse_what_is_not_there(slice_: str) -> None:
    with pytest.raises(ValueError, match=r"split|slice"):
        spans(slice_, STORED)


def labels(dataset: tf.data.Dataset) -> list[int]:
    return [int(label) for _, label in dataset]


def test_the_stored_order_is_kept(tiny: Examples) -> None:
    assert labels(read(tiny, tiny.splits["train"])) == [0, 1, 2] * 32
    whole = np.stack([image for image, _ in read(tiny, "train").as_numpy_iterator()])
    parts = [image for slice_ in ("train[:7]", "train[7:]") for image, _ in read(tiny, slice_).as_numpy_iterator()]
    np.testing.assert_array_equal(whole, parts)


def test_the_order_is_kept_over_many_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="many_files",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(shape=(1, 1, 3)), "label": tfds.features.ClassLabel(num_classes=100)}
        ),
        split_datasets={"train": ((n, {"image": np.full((1, 1, 3), n, np.uint8), "label": n}) for n in range(100))},
        data_dir=tmp_path_factory.mktemp("many_files"),
        download_config=tfds.download.DownloadConfig(num_shards=7),
        disable_shuffling=True,
    )
    directory = Path(builder.data_dir)
    examples = Examples(
        folder=directory,
        dataset="many_files/1.0.0",
        content="",
        directory=directory,
        splits={"train": "train"},
        example_counts={"train": 100},
        class_names=tuple(map(str, range(100))),
        image_shape=(1, 1, 3),
    )
    assert labels(read(examples, "train")) == list(range(100))
    assert labels(read(examples, "train[50:]+train[:50]")) == [*range(50, 100), *range(50)]


def test_shards_are_the_split_in_pieces(tiny: Examples) -> None:
    shards = shard_spans(tiny, "validation", 10)
    assert shards == [Span("train", 96, 106), Span("train", 106, 116), Span("train", 116, 120)]
    assert [label for shard in shards for label in labels(read(tiny, shard.slice))] == labels(read(tiny, "train[96:]"))


def test_shapes_and_types(tiny: Examples) -> None:
    expected = (tf.TensorSpec((32, 32, 3), tf.uint8), tf.TensorSpec((), tf.int64))
    assert read(tiny, "test").element_spec == expected
    assert read_resized(tiny, "test", 32, 32).element_spec == expected
    smaller = read_resized(tiny, "test", 16, 20)
    assert smaller.element_spec == (tf.TensorSpec((16, 20, 3), tf.uint8), tf.TensorSpec((), tf.int64))
    assert len(list(smaller)) == 48


def test_grey_is_three_times_the_same() -> None:
    grey = tf.constant([[[1], [2]]], tf.uint8)
    assert to_rgb(grey).numpy().tolist() == [[[1, 1, 1], [2, 2, 2]]]


def test_transparent_pixels_are_white() -> None:
    pixels = tf.constant([[[10, 20, 30, 255], [10, 20, 30, 0], [100, 0, 200, 51]]], tf.uint8)
    assert to_rgb(pixels).numpy().tolist() == [[[10, 20, 30], [255, 255, 255], [224, 204, 244]]]


def test_colours_are_left_alone() -> None:
    pixels = tf.constant([[[10, 20, 30]]], tf.uint8)
    assert to_rgb(pixels).numpy().tolist() == [[[10, 20, 30]]]
