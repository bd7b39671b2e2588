from __future__ import annotations

import warnings

import numpy as np
import pytest

from components.findings import Finding
from components.inspect.label_issues import find_label_issues
from components.inspect.vectors import SplitVectors
from tests.components.inspect.vectors_of import FEATURES, alike, drawn

CLASSES = 4


def three_splits(noise: float) -> list[SplitVectors]:
    counts = {"train": 100, "validation": 10, "test": 40}
    return [
        drawn(split, np.repeat(np.arange(CLASSES), count), noise, seed)
        for seed, (split, count) in enumerate(counts.items())
    ]


def relabeled(split: SplitVectors, indices: np.ndarray, labels: np.ndarray) -> SplitVectors:
    changed = split.labels.copy()
    changed[indices] = labels
    return split._replace(labels=changed)


def places(findings: list[Finding]) -> list[tuple[str, int]]:
    return [(finding.images[0].split, finding.images[0].index) for finding in findings]


def test_changed_labels_are_found_in_every_split_with_the_class_that_fits() -> None:
    random, splits, changed = np.random.default_rng(0), three_splits(noise=0.5), {}
    for number, split in enumerate(splits):
        indices = random.choice(len(split.labels), len(split.labels) // 20, replace=False)
        for index in indices.tolist():
            changed[split.split, index] = int(split.labels[index])
        splits[number] = relabeled(split, indices, (split.labels[indices] + 1) % CLASSES)
    findings = find_label_issues(splits, CLASSES)
    suggested = dict(zip(places(findings), (finding.suggested_label for finding in findings), strict=True))
    assert suggested.items() <= changed.items()
    assert len(suggested) >= 0.95 * len(changed)
    assert {split for split, _ in suggested} == {"train", "validation", "test"}
    for finding in findings:
        (image,) = finding.images
        assert image == next(split for split in splits if split.split == image.split).reference(image.index)


def test_the_surest_come_first() -> None:
    (split, *_) = three_splits(noise=1.5)
    findings = find_label_issues([relabeled(split, np.arange(20), np.full(20, 3))], CLASSES)
    scores = [finding.score for finding in findings]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] < scores[0] <= 1
    assert {index for _, index in places(findings[:15])} <= set(range(20))


@pytest.mark.parametrize(("noise", "most"), [(0.5, 0), (1.5, 0.02)], ids=["classes apart", "classes that overlap"])
def test_few_labels_of_a_clean_set_look_wrong(noise: float, most: float) -> None:
    splits = three_splits(noise)
    assert len(find_label_issues(splits, CLASSES)) <= most * sum(len(split.labels) for split in splits)


def test_vectors_that_tell_nothing_make_no_label_wrong() -> None:
    """The commonest class is the likeliest for every image, and no better label for any."""
    random = np.random.default_rng(0)
    labels = random.choice(3, 400, p=[0.8, 0.1, 0.1])
    noise = drawn("train", np.zeros(400, int))
    assert len(find_label_issues([noise._replace(labels=labels)], 3)) <= 0.08 * 400


def test_a_frequent_class_does_not_swallow_a_rare_one() -> None:
    assert find_label_issues([drawn("train", [0] * 500 + [1] * 12)], 2) == []


@pytest.mark.parametrize(
    "labels",
    [[], [0], [0] * 30, [0, 1], list(range(12)), [0] * 30 + [1], [0] * 30 + [1, 2, 2, 3, 3]],
    ids=["none", "one", "one class", "two images", "classes of one", "a class of one", "rare classes"],
)
def test_classes_that_cannot_be_judged_have_no_findings(labels: list[int]) -> None:
    assert find_label_issues([drawn("train", labels), drawn("test", [])], 13) == []


@pytest.mark.parametrize("labels", [[0, 1] * 10, [0] * 90 + [1] * 10], ids=["half", "a tenth"])
def test_images_that_are_all_alike(labels: list[int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_label_issues([alike("train", labels)], 2) == []


def test_a_whole_class_that_is_mislabeled_looks_right() -> None:
    """Nothing says otherwise, and nothing fails for the class that is left empty."""
    (split, *_) = three_splits(noise=0.5)
    merged = split._replace(labels=np.where(split.labels == 3, 0, split.labels))
    swapped = split._replace(labels=np.array([1, 0, 2, 3])[split.labels])
    assert find_label_issues([merged], CLASSES) == []
    assert find_label_issues([swapped], CLASSES) == []


def test_copies_do_not_vouch_for_each_other_if_they_are_a_group() -> None:
    """Ten copies of an image of class 0, all labeled 1."""
    split = drawn("train", [0] * 60 + [1] * 60)
    copies = np.arange(10)
    views = split.views.copy()
    views[copies] = views[0] + np.linspace(0, 1, FEATURES, dtype=np.float16)  # out where they bend the head
    split = relabeled(split._replace(views=views), copies, np.ones(10, np.int64))
    alone = find_label_issues([split], 2)
    grouped = find_label_issues([split], 2, groups={("train", index): 1 for index in copies.tolist()})
    assert len(grouped) > len(alone)
    assert set(places(grouped)) == {("train", index) for index in copies.tolist()}


def test_a_group_that_holds_a_whole_class_is_not_judged() -> None:
    split = drawn("train", [0] * 20 + [1] * 6)
    assert find_label_issues([split], 2, groups={("train", index): 5 for index in range(20, 26)}) == []
    assert find_label_issues([split], 2, groups={("train", index): 5 for index in range(26)}) == []


def test_more_images_than_a_block() -> None:
    split = drawn("train", np.tile([0, 1], 5000))
    assert places(find_label_issues([relabeled(split, np.array([9001]), np.array([0]))], 2)) == [("train", 9001)]
