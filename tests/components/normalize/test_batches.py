from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from components.artifacts import Examples
from components.dataset_reader import read
from components.ingest.writing import write_dataset
from components.normalize.batches import read_in_batches


def test_batches_hold_the_same_images_of_all_sizes(tmp_path: Path) -> None:
    pictures = [np.full((1 + index % 3, 2, 1), index, np.uint8) for index in range(7)]
    features = {"image": tfds.features.Image(shape=(None, None, 1)), "label": tfds.features.ClassLabel(num_classes=9)}
    rows = [{"image": picture, "label": index} for index, picture in enumerate(pictures)]
    write_dataset(tmp_path / "data", "gray/1.0.0", tfds.features.FeaturesDict(features), {"train": rows})
    examples = Examples(
        folder=tmp_path,
        dataset="gray/1.0.0",
        content="",
        directory=tmp_path / "data",
        splits={"train": "train"},
        example_counts={"train": 7},
        class_names=tuple("abcdefghi"),
        image_shape=(None, None, 3),
    )
    batches = list(read_in_batches(examples, "train[1:]", 4).as_numpy_iterator())
    assert [labels.tolist() for _, _, labels in batches] == [[1, 2, 3, 4], [5, 6]]
    assert [sizes.tolist() for _, sizes, _ in batches] == [[[2, 2], [3, 2], [1, 2], [2, 2]], [[3, 2], [1, 2]]]
    expected = [image.reshape(-1) for image, _ in read(examples, "train[1:]").as_numpy_iterator()]
    np.testing.assert_array_equal(np.concatenate([pixels for pixels, _, _ in batches]), np.concatenate(expected))
