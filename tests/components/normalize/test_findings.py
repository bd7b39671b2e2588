from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Examples, Statistics
from components.component import ComponentError, Workspace
from components.normalize import Checks, Normalize, NormalizeConfig
from pipeline.store.folder_digest import digest_folder
from tests.components import scanning

Labels = dict[str, list[int]]
COMPLETE = {"train": [0, 1, 2], "test": [0, 1, 2]}


def examples_with(labels: Labels, folder: Path, size: tuple[int, int] = (4, 4)) -> Examples:
    random = np.random.default_rng(0)
    return scanning.prepare(
        folder / "data",
        ["cat", "dog", "<script>"],
        {
            split: [(random.integers(0, 256, (*size, 3), dtype=np.uint8), label) for label in labels[split]]
            for split in labels
        },
        stored_classes=9,
    )


def run(labels: Labels, workspace: Workspace, folder: Path, **checks: str) -> Statistics:
    config = NormalizeConfig.model_validate({"checks": checks})
    return scanning.run(Normalize(config), workspace, examples_with(labels, folder))


FINDINGS = [
    (
        "empty_class",
        {**COMPLETE, "train": [0, 0]},
        '2 of 3 classes have no image in split "train" ("train"): "dog", "<script>". Add images, choose another '
        "slice, or set normalize.checks.empty_class.",
    ),
    (
        "empty_test_class",
        {**COMPLETE, "test": [0, 1]},
        '1 of 3 classes have no image in split "test" ("test"): "<script>". Add images, choose another '
        "slice, or set normalize.checks.empty_test_class.",
    ),
    (
        "label_out_of_range",
        {**COMPLETE, "train": [0, 1, 2, 8, 3]},
        '2 images of split "train" have a label that names no class: 3 to 8, where 0 to 2 was expected. '
        "Is ingest's label_key (label) the right one?",
    ),
]


@pytest.mark.parametrize(("check", "labels", "sentence"), FINDINGS)
def test_a_finding_warns(check: str, labels: Labels, sentence: str, workspace: Workspace, tmp_path: Path) -> None:
    assert run(labels, workspace, tmp_path, **{check: "warn"}).warnings == (sentence,)


@pytest.mark.parametrize(("check", "labels", "sentence"), FINDINGS)
def test_a_finding_fails(check: str, labels: Labels, sentence: str, workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ComponentError) as failure:
        run(labels, workspace, tmp_path, **{check: "fail"})
    assert sentence in str(failure.value)
    assert not list(workspace.folder.iterdir())


@pytest.mark.parametrize(("check", "labels", "sentence"), FINDINGS[:1])
def test_a_finding_is_ignored(check: str, labels: Labels, sentence: str, workspace: Workspace, tmp_path: Path) -> None:
    assert run(labels, workspace, tmp_path, **{check: "ignore"}).warnings == ()
    ignored = digest_folder(workspace.folder)
    run(labels, workspace, tmp_path / "again", **{check: "warn"})
    assert digest_folder(workspace.folder) == ignored, "a warning is no part of what was made"


def test_what_fails_by_default() -> None:
    assert Checks().model_dump() == {
        "empty_class": "fail",
        "empty_test_class": "warn",
        "label_out_of_range": "fail",
        "leakage": "fail",
        "drift": "warn",
        "max_channel_drift": 0.5,
        "max_class_drift": 0.2,
    }


def test_a_split_without_images_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    examples = examples_with(COMPLETE, tmp_path)
    splits = {"train": "train", "validation": "train[3:]", "test": "test"}
    empty = examples.model_copy(
        update={"splits": splits, "example_counts": {**examples.example_counts, "validation": 0}}
    )
    with pytest.raises(ComponentError, match=r'"validation" \("train\[3:\]" of prepared/1\.0\.0\) has no images'):
        scanning.run(Normalize(NormalizeConfig()), workspace, empty)


def test_fewer_images_than_on_record_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    examples = examples_with(COMPLETE, tmp_path).model_copy(update={"example_counts": {"train": 4, "test": 3}})
    with pytest.raises(ComponentError, match="has 4 images on record, but 3 were read"):
        scanning.run(Normalize(NormalizeConfig()), workspace, examples)


def test_images_without_a_patch_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ComponentError) as refusal:
        scanning.run(Normalize(NormalizeConfig()), workspace, examples_with(COMPLETE, tmp_path, size=(1, 5)))
    assert "has only images narrower or lower than 2 pixels: 1x5. " in str(refusal.value)
    assert "Use larger images; raise ingest.shorter_side_pixels if it shrinks them so far" in str(refusal.value)
    assert "the right feature in ingest.image_key, which is 'image'." in str(refusal.value)
