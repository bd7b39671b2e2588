"""Copies of the sample's images with known changes, and pictures that are merely alike."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.changed_images import CHANGES, changed
from components.artifacts import Examples
from components.findings import Finding
from components.inspect.near_copies import find_near_copies
from tests.components.inspect.copied_images import Pixels, make_split, sample_images


def find(**splits: tuple[list[Pixels], list[int]]) -> list[Finding]:
    made = [make_split(name, *split) for name, split in splits.items()]
    return find_near_copies([vectors for vectors, _ in made], {vectors.split: small for vectors, small in made})


def places(finding: Finding) -> list[tuple[str, int]]:
    return [(image.split, image.index) for image in finding.images]


@pytest.fixture(scope="module")
def images(sample: Examples) -> list[Pixels]:
    return sample_images(sample, 200)


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found_whatever_was_done_to_them(images: list[Pixels], change: str) -> None:
    copies = [changed(image, change) for image in images[:60]]
    found = find(train=(images + copies, []))
    expected = [[("train", index), ("train", 200 + index)] for index in range(60)]
    right = [finding for finding in found if places(finding) in expected]
    assert len(right) >= 58  # 97 %
    assert len(found) - len(right) <= 1  # 98 % of what is found


def test_in_a_clean_set_next_to_nothing_is_found(sample: Examples) -> None:
    found = find(test=(sample_images(sample, 600), []))
    assert sum(len(finding.images) for finding in found) <= 6  # of 600; the pairs there look like copies to people, too


def test_the_reason_says_what_was_done_and_where_the_copies_are(images: list[Pixels]) -> None:
    mirrored = changed(images[3], "mirrored")
    (finding,) = find(train=(images[:20], [1] * 20), test=([mirrored, images[30]], [2, 1]))
    assert places(finding) == [("test", 0), ("train", 3)]
    assert finding.reason == "mirrored; under 2 labels; in test and train"
    assert finding.score > 0.99
    assert [image.label for image in finding.images] == [2, 1]


def test_the_same_bytes_are_one_group_however_many_they_are(images: list[Pixels]) -> None:
    (finding,) = find(train=([images[0]] * 40 + images[10:30], []))
    assert len(finding.images) == 40
    assert finding.reason == "the same bytes"
    assert finding.score == 1


def test_images_that_are_all_alike_are_one_group() -> None:
    (finding,) = find(train=([np.full((8, 8, 3), 9, np.uint8)] * 5, []))
    assert len(finding.images) == 5


def test_two_different_things_on_the_same_horizon_are_no_copies() -> None:
    """Their pixels agree as those of copies do, for the sea and the sky are most of them."""
    sea = np.broadcast_to(np.linspace(40, 220, 32)[:, None, None], (32, 32, 3))
    ships = []
    for seed in (0, 1):
        ship = sea.copy()
        ship[12:20, 8:24] += np.random.default_rng(seed).choice([-20, 20], (8, 16, 1))
        ships.append(ship.astype(np.uint8))
    assert find(train=(ships, [])) == []


def test_plain_pictures_of_different_colors_are_no_copies() -> None:
    assert find(train=([np.full((32, 32, 3), level, np.uint8) for level in range(0, 250, 10)], [])) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_handful_of_images_is_enough(images: list[Pixels], count: int) -> None:
    assert find(train=(images[:count], [])) == []


def test_a_burst_is_one_group_and_the_findings_come_surest_first(images: list[Pixels]) -> None:
    burst = [changed(images[0], change) for change in ("15 % brighter", "saved as JPEG", "15 % darker")]
    found = find(train=(images[:30] + burst + [images[7]], []))
    assert [len(finding.images) for finding in found] == [2, 4]
    assert [finding.score for finding in found] == sorted((finding.score for finding in found), reverse=True)


def test_one_pair_does_not_join_groups_of_unlike_images(images: list[Pixels]) -> None:
    """A collage that is half one picture and half another belongs to one group at most."""
    left, right = images[0], images[1]
    bursts = [changed(image, change) for image in (left, right) for change in ("15 % brighter", "15 % darker")]
    collage = np.concatenate([left[:, :16], right[:, 16:]], axis=1)
    for finding in find(train=([left, right, *bursts, collage, *images[10:60]], [])):
        assert not {0, 1} <= {image.index for image in finding.images}
