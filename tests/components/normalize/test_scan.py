from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from components.artifacts import Examples, Statistics
from components.component import ComponentError, Workspace
from components.ingest.writing import write_dataset
from components.normalize import Checks, Normalize, NormalizeConfig
from components.normalize.scan import plan
from tests.components import scanning


def images(count: int, height: int = 4, width: int = 4, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8))


def labelled(pictures: list[np.ndarray], classes: int = 2) -> list[tuple[np.ndarray, int]]:
    return [(picture, index % classes) for index, picture in enumerate(pictures)]


def encoded(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def prepare_files(directory: Path, train: Sequence[bytes], test: Sequence[bytes]) -> Examples:
    """A dataset of JPEG and PNG files, stored as they are."""
    features = {"image": tfds.features.Image(shape=(None, None, 3)), "label": tfds.features.ClassLabel(num_classes=2)}
    files = {"train": train, "test": test}
    rows = {split: [{"image": data, "label": i % 2} for i, data in enumerate(files[split])] for split in files}
    write_dataset(directory, "files/1.0.0", tfds.features.FeaturesDict(features), rows)
    return Examples(
        folder=directory,
        dataset="files/1.0.0",
        content="3" * 64,
        directory=directory,
        splits={split: split for split in files},
        example_counts={split: len(files[split]) for split in files},
        class_names=("no", "yes"),
        image_shape=(None, None, 3),
    )


def test_every_split_is_described(tiny: Examples, workspace: Workspace) -> None:
    found: Statistics = scanning.run(Normalize(NormalizeConfig(shard_examples=50)), workspace, tiny)
    assert {split: part.example_count for split, part in found.splits.items()} == tiny.example_counts
    assert found.splits["train"].class_counts == (32, 32, 32)
    assert found.splits["validation"].image_sizes == {"32x32": 24}
    # Noise is uniform over 0 to 119, and every class has 100 more in a channel of its own.
    assert found.splits["train"].channel_mean == pytest.approx([(59.5 + 100 / 3) / 255] * 3, abs=2e-3)
    assert (found.duplicate_count, found.leaked_count, found.warnings) == (0, 0, ())


@pytest.mark.parametrize(("shard_examples", "beam_args"), [(7, ()), (4096, scanning.EVERY_BUNDLE_TWICE)])
def test_shards_and_retries_change_nothing(
    shard_examples: int, beam_args: tuple[str, ...], tiny: Examples, workspace: Workspace, tmp_path: Path
) -> None:
    config = NormalizeConfig(shard_examples=shard_examples)
    scanning.run(Normalize(config), workspace, tiny, beam_args=beam_args)
    other = Workspace(folder=tmp_path / "other", scratch=workspace.scratch, root=workspace.root)
    other.folder.mkdir()
    scanning.run(Normalize(NormalizeConfig(shard_examples=50)), other, tiny)
    documents = [(folder / "statistics.json").read_bytes() for folder in (workspace.folder, other.folder)]
    assert documents[0] == documents[1]


def test_copies_are_counted_within_and_across_splits(workspace: Workspace, tmp_path: Path) -> None:
    train, test = images(6, seed=1), images(4, seed=2)
    examples = scanning.prepare(
        tmp_path / "data",
        ["no", "yes"],
        {
            "train": labelled([*train, train[0], train[0], train[1]]),
            "validation": labelled([*images(2, seed=3), train[2]]),
            "test": labelled([*test, train[0], test[3]]),
        },
    )
    with pytest.raises(ComponentError, match="1 images of the test split are also in another split"):
        scanning.run(Normalize(NormalizeConfig()), workspace, examples)
    config = NormalizeConfig(shard_examples=2, checks=Checks(leakage="warn"))
    found: Statistics = scanning.run(Normalize(config), workspace, examples)
    assert (found.duplicate_count, found.leaked_count) == (4, 1)
    assert found.duplicates[0] == {"test": 1, "train": 3}
    assert sorted(map(sorted, (copies.items() for copies in found.duplicates[1:]))) == [
        [("test", 2)],
        [("train", 1), ("validation", 1)],
        [("train", 2)],
    ]
    assert found.warnings == (
        "1 images of the test split are also in another split, pixel for pixel (test[4:5] (test) = "
        "train[0:1] (train)): the evaluation flatters the model by as many. Remove the copies from the source, or set "
        "normalize.checks.leakage to warn or ignore.",
    )


def test_images_of_many_sizes_are_scanned_one_by_one(workspace: Workspace, tmp_path: Path) -> None:
    pictures = [picture for size in range(2, 107) for picture in images(1 + (size == 50), 3, size, seed=size)]
    examples = scanning.prepare(
        tmp_path / "data", ["no", "yes"], {"train": labelled(pictures), "test": labelled(images(2, 9, 2))}
    )
    found: Statistics = scanning.run(Normalize(NormalizeConfig(shard_examples=40)), workspace, examples)
    sizes = found.splits["train"].image_sizes
    assert next(iter(sizes.items())) == ("3x50", 2)
    assert len(sizes) == 101
    assert sizes["other"] == 5
    assert sum(sizes.values()) == found.splits["train"].example_count == 106
    assert found.splits["train"].pixel_count == sum(3 * size for size in range(2, 107)) + 3 * 50
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures]) / 255
    assert found.splits["train"].channel_std == pytest.approx(pixels.std(axis=0), rel=1e-12)


def test_the_same_pixels_in_two_encodings_are_copies(workspace: Workspace, tmp_path: Path) -> None:
    one, two, three = images(3, 8, 12)
    train = [encoded(one, "PNG"), encoded(two, "JPEG"), encoded(three, "PNG")]
    test = [encoded(one, "PNG", compress_level=0), encoded(two, "JPEG", optimize=True), encoded(three[:, ::-1], "PNG")]
    assert not set(train) & set(test)
    config = NormalizeConfig(checks=Checks(leakage="warn"))
    found: Statistics = scanning.run(Normalize(config), workspace, prepare_files(tmp_path / "data", train, test))
    assert (found.duplicate_count, found.leaked_count) == (2, 2)


def test_a_few_large_images_among_many_small_ones_are_scanned_too(workspace: Workspace, tmp_path: Path) -> None:
    pictures = images(3, 5, 5) + images(1, 700, 900, seed=1) + images(20, 5, 5, seed=2) + images(2, 5, 6, seed=3)
    files = [encoded(picture, "PNG") for picture in pictures]
    examples = prepare_files(tmp_path / "data", files, files[:2])
    config = NormalizeConfig(checks=Checks(leakage="ignore"))
    found: Statistics = scanning.run(Normalize(config), workspace, examples)
    assert found.splits["train"].image_sizes == {"5x5": 23, "5x6": 2, "700x900": 1}
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures]) / 255
    assert found.splits["train"].channel_mean == pytest.approx(pixels.mean(axis=0), rel=1e-12)


def test_a_shard_does_not_carry_the_class_names(tiny: Examples) -> None:
    many = tiny.model_copy(update={"class_names": tuple(f"a class with a long name, {i}" for i in range(1000))})
    shard = next(iter(plan(many, 50)))
    assert len(pickle.dumps(shard)) < 3000
    assert shard.class_count == 1000


def test_nothing_comes_of_no_shards(tmp_path: Path) -> None:
    assert scanning.run_cached(Normalize(NormalizeConfig()), tmp_path) == 0
