from __future__ import annotations

import warnings

import numpy as np
import pytest

from components.inspect.odd_images import REFERENCE_IMAGES, UNLIKE, find_odd_images
from components.inspect.pixel_measures import PixelMeasures, measure
from components.inspect.vectors import SplitVectors
from tests.components.inspect.vectors_of import FEATURES, alike, drawn

PHOTO = PixelMeasures(brightness=0.5, contrast=0.2, sharpness=0.9, commonest_color_fraction=0.2, aspect_ratio=1.5)


def measures_of(splits: list[SplitVectors]) -> dict[str, np.ndarray]:
    return {split.split: np.tile(np.array(PHOTO, np.float32), (len(split.labels), 1)) for split in splits}


def with_odd(split: SplitVectors, *indices: int) -> SplitVectors:
    """The images at some indices become of another domain."""
    views = split.views.copy()
    for index in indices:
        views[index] = np.roll(np.eye(FEATURES, dtype=np.float16)[index % FEATURES] * 5, 3)
    return split._replace(views=views)


def reasons(splits: list[SplitVectors], measures: dict[str, np.ndarray] | None = None) -> dict[tuple[str, int], str]:
    findings = find_odd_images(splits, measures or measures_of(splits), 12)
    return {(finding.images[0].split, finding.images[0].index): finding.reason for finding in findings}


def test_images_unlike_their_class_are_found_and_the_others_are_not() -> None:
    splits = [with_odd(drawn("train", [0, 1] * 100), 7, 90), with_odd(drawn("test", [0, 1] * 30, seed=1), 11)]
    assert reasons(splits) == dict.fromkeys([("train", 7), ("train", 90), ("test", 11)], UNLIKE)


def test_an_image_of_another_class_is_unlike_its_own() -> None:
    split = drawn("train", [0] * 50 + [1] * 50, noise=0.3)
    labels = split.labels.copy()
    labels[3] = 1
    assert reasons([split._replace(labels=labels)]) == {("train", 3): UNLIKE}


@pytest.mark.parametrize(("count", "most"), [(10, 0.05), (30, 0.02), (300, 0.005)])
def test_few_images_of_a_clean_class_are_odd(count: int, most: float) -> None:
    found = reasons([drawn("train", np.repeat(np.arange(10), count), noise=1.0)])
    assert len(found) <= most * 10 * count


def test_bursts_do_not_make_single_shots_odd() -> None:
    """Half of a class is 20 copies of each of 5 shots: nothing else is as near to anything."""
    single, shots = drawn("train", [0] * 100), drawn("train", [0] * 5, seed=1)
    views = np.concatenate([single.views, np.repeat(shots.views, 20, axis=0)])
    split = SplitVectors("train", np.zeros(200, np.int64), np.zeros((200, 16), np.uint8), views)
    assert reasons([split]) == {}


@pytest.mark.parametrize("labels", [[0], [0, 0], [0, 1], [0] * 9], ids=["one", "two", "ones", "nine"])
def test_a_small_class_is_not_judged_by_its_vectors(labels: list[int]) -> None:
    assert reasons([with_odd(drawn("train", labels), 0)]) == {}


def test_images_that_are_all_alike() -> None:
    """All black, so that every bound is passed."""
    splits = [alike("train", [0, 1] * 20), alike("test", [0, 1, 2])]
    black = np.array(measure(np.zeros((8, 8, 3), np.uint8)), np.float32)
    measures = {split.split: np.tile(black, (len(split.labels), 1)) for split in splits}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = reasons(splits, measures)
    assert found == {("test", 2): "nearly black, nearly one color, almost no contrast"}  # alone in its class


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"brightness": 0.01}, "nearly black"),
        ({"brightness": 0.99}, "nearly white"),
        ({"commonest_color_fraction": 0.99}, "nearly one color"),
        ({"contrast": 0.01}, "almost no contrast"),
        ({"contrast": 0.01, "sharpness": 0.0}, "almost no contrast"),
        ({"sharpness": 0.01}, "blurred"),
        ({"aspect_ratio": 4.0}, "far longer than wide"),
        ({"aspect_ratio": 9.0, "sharpness": 0.02}, "blurred, far longer than wide"),
    ],
    ids=str,
)
def test_pixels_beyond_a_bound(change: dict[str, float], reason: str) -> None:
    splits = [drawn("train", [0] * 5), drawn("test", [0] * 5)]
    measures = measures_of(splits)
    measures["test"][2] = PHOTO._replace(**change)
    (finding,) = find_odd_images(splits, measures, 1)
    assert (finding.images[0], finding.reason) == (splits[1].reference(2), reason)
    assert 0.5 <= finding.score <= 1


def test_what_many_images_of_a_class_share_is_not_odd() -> None:
    splits = [drawn("train", [0] * 40 + [1] * 40)]
    measures = measures_of(splits)
    measures["train"][[*range(30), 50]] = PHOTO._replace(sharpness=0.01)
    found = reasons(splits, measures)
    assert [image for image, reason in found.items() if "blurred" in reason] == [("train", 50)]


def test_the_surest_come_first() -> None:
    splits = [drawn("train", [0] * 20)]
    measures = measures_of(splits)
    for index, brightness in ((3, 0.04), (5, 0.0), (9, 0.02)):
        measures["train"][index] = PHOTO._replace(brightness=brightness)
    findings = find_odd_images(splits, measures, 1)
    assert [finding.images[0].index for finding in findings] == [5, 9, 3]
    assert findings[0].score == 1


def test_a_class_with_more_images_than_are_compared_with() -> None:
    count = REFERENCE_IMAGES + 3001  # and more than a block
    assert reasons([with_odd(drawn("train", [0] * count), 2, count - 1)]) == {
        ("train", 2): UNLIKE,
        ("train", count - 1): UNLIKE,
    }
