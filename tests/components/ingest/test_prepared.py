"""Datasets that TFDS has prepared already, through the whole component."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from components.artifacts import Examples
from components.component import ComponentError, Workspace
from components.dataset_reader import read
from components.ingest import Ingest, IngestConfig, Splits
from components.ingest.fingerprint import content_digest
from components.ingest.writing import write_dataset
from tests.components.ingest.running import run

F = tfds.features


def write(folder: Path, count: int = 8, **features: Any) -> Path:
    """A dataset with those features, `count` examples of zeros (for images) and of the classes in turn."""
    spec = F.FeaturesDict(features)

    def value(feature: Any, index: int) -> Any:
        if isinstance(feature, F.ClassLabel):
            return index % (feature.num_classes or 2)
        return np.full([size or 5 for size in feature.shape], index, feature.np_dtype)

    examples = [{name: value(feature, index) for name, feature in spec.items()} for index in range(count)]
    write_dataset(folder / "toy", "toy/1.0.0", spec, {"train": examples, "test": examples})
    return folder / "toy"


def ingest(workspace: Workspace, directory: Path, **config: Any) -> Examples:
    splits = Splits(train="train", test="test")
    return run(Ingest(IngestConfig(dataset=str(directory), splits=splits, **config)), workspace)


def test_nothing_is_copied(workspace: Workspace, tiny: Examples) -> None:
    examples = ingest(workspace, tiny.prepared_directory)
    assert examples.directory == tiny.prepared_directory
    assert [file.name for file in workspace.folder.iterdir()] == ["examples.json"]
    assert examples == Examples.read(workspace.folder, directory=tiny.directory)
    assert examples.dataset == "tiny/1.0.0"
    assert examples.content == content_digest(tiny.prepared_directory)
    assert examples.class_names == ("red", "green", "blue")
    assert examples.image_shape == (32, 32, 3)
    assert examples.example_counts == {"train": 120, "test": 48}


def test_the_embedded_sample_is_the_default(workspace: Workspace, sample: Examples) -> None:
    examples = run(Ingest(IngestConfig()), workspace)
    assert examples.model_copy(update={"folder": sample.folder}) == sample


def test_other_keys_and_sizes(workspace: Workspace, tmp_path: Path) -> None:
    directory = write(tmp_path, photo=F.Image(shape=(None, 7, 3)), kind=F.ClassLabel(num_classes=2))
    examples = ingest(workspace, directory, image_key="photo", label_key="kind")
    assert examples.image_shape == (None, 7, 3)
    assert examples.class_names == ("0", "1")
    assert [(image.shape, label) for image, label in read(examples, "train[:2]").as_numpy_iterator()] == [
        ((5, 7, 3), 0),
        ((5, 7, 3), 1),
    ]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_are_read_with_three_channels(workspace: Workspace, tmp_path: Path, channels: int) -> None:
    directory = write(tmp_path, image=F.Image(shape=(5, 5, channels)), label=F.ClassLabel(num_classes=2))
    examples = ingest(workspace, directory)
    assert examples.image_shape == (5, 5, 3)
    assert {image.shape for image, _ in read(examples, "train").as_numpy_iterator()} == {(5, 5, 3)}


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        (
            {"picture": F.Image(), "label": F.ClassLabel(num_classes=2)},
            "ingest.image_key is 'image', which is not there in toy/1.0.0; expected a feature of type Image: 'picture'",
        ),
        (
            {"image": F.Image(), "label": F.Scalar(np.int64), "a": F.ClassLabel(num_classes=2)},
            "ingest.label_key is 'label', which is a Scalar in toy/1.0.0; expected a feature of type ClassLabel: 'a'",
        ),
        ({"image": F.Image(), "label": F.Scalar(np.int64)}, "of type ClassLabel: the dataset has none"),
        (
            {"image": F.Image(shape=(5, 5, 1), dtype=np.uint16), "label": F.ClassLabel(num_classes=2)},
            r"Images in toy/1.0.0 \(feature 'image'\) are uint16 \(5, 5, 1\); expected uint8",
        ),
        (
            {"image": F.Image(), "label": F.ClassLabel(num_classes=1)},
            r"classes of toy/1.0.0 are \('0',\); expected two",
        ),
    ],
)
def test_refuses_what_is_not_labelled_images(
    workspace: Workspace, tmp_path: Path, features: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ComponentError, match=reason):
        ingest(workspace, write(tmp_path, **features))


def test_refuses_a_dataset_with_missing_files(workspace: Workspace, tiny: Examples, tmp_path: Path) -> None:
    shutil.copytree(tiny.prepared_directory, tmp_path / "tiny")
    next((tmp_path / "tiny").glob("tiny-test*")).unlink()
    with pytest.raises(
        ComponentError, match=r"tiny/1.0.0 is not complete: 1 of its files are missing, first .*tiny-test"
    ):
        ingest(workspace, tmp_path / "tiny")


@pytest.mark.parametrize("text", ["", "{", json.dumps({"name": 3}), json.dumps({"nme": "x"})])
def test_refuses_a_damaged_description(workspace: Workspace, tiny: Examples, tmp_path: Path, text: str) -> None:
    shutil.copytree(tiny.prepared_directory, tmp_path / "tiny")
    (tmp_path / "tiny" / "dataset_info.json").write_text(text)
    with pytest.raises(ComponentError, match="tiny is no dataset that TFDS can read"):
        ingest(workspace, tmp_path / "tiny")


def test_refuses_other_file_formats(workspace: Workspace, tiny: Examples, tmp_path: Path) -> None:
    shutil.copytree(tiny.prepared_directory, tmp_path / "tiny")
    info = tmp_path / "tiny" / "dataset_info.json"
    info.write_text(info.read_text().replace('"tfrecord"', '"array_record"'))
    with pytest.raises(ComponentError, match="is stored as array_record; only tfrecord can be read as a stream"):
        ingest(workspace, tmp_path / "tiny")
