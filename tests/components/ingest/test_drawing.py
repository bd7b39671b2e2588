from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest

from components.ingest import drawing
from components.ingest.drawing import Unit, draw
from components.ingest.order import interleave
from components.ingest.photo_tree import Files, order_key

PERCENTS = {"train": 80, "validation": 10, "test": 10}


def classes(*counts: int) -> list[Files]:
    return [
        Files.of(
            f"{label}",
            sorted((f"{number}.jpg" for number in range(count)), key=lambda name: order_key(f"{label}/{name}")),
        )
        for label, count in enumerate(counts)
    ]


def groups(label: int, count: int, size: int) -> list[Unit]:
    return [
        tuple((label, f"{label}/{number}.jpg") for number in range(start, start + size))
        for start in range(0, count, size)
    ]


def counts(splits: dict[str, list[Files]]) -> dict[str, list[int]]:
    return {split: [len(files) for files in of_split] for split, of_split in splits.items()}


def test_without_units_the_splits_are_the_slices() -> None:
    files = classes(100, 50)
    order = [file for _, file in interleave(files)]
    drawn = draw(files, [], PERCENTS)
    assert {split: set(chain.from_iterable(of_split)) for split, of_split in drawn.items()} == {
        "train": set(order[:120]),
        "validation": set(order[120:135]),
        "test": set(order[135:]),
    }
    assert [file for of_class in drawn["train"] for file in of_class] == [
        file for of_class in files for file in of_class if file in order[:120]
    ]


@pytest.mark.parametrize("size", [2, 5, 10])
def test_no_unit_is_cut_and_classes_keep_their_shares(size: int) -> None:
    units = [*groups(0, 400, size), *groups(1, 200, size)]
    drawn = draw(classes(400, 200, 100), units, PERCENTS)
    split_of = {file: split for split, of_split in drawn.items() for file in chain.from_iterable(of_split)}
    assert len(split_of) == 700
    assert all(len({split_of[file] for _, file in unit}) == 1 for unit in units)
    for split, fraction in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        for found, total in zip(counts(drawn)[split], (400, 200, 100), strict=True):
            assert abs(found - fraction * total) <= 2 * size


def test_a_large_unit_is_trained_on() -> None:
    drawn = draw(classes(100, 100), [groups(0, 100, 30)[0]], PERCENTS)
    assert {split for split, of_split in drawn.items() if "0/7.jpg" in of_split[0]} == {"train"}
    assert counts(drawn)["test"] == pytest.approx([10, 10], abs=2)


def test_a_unit_may_hold_several_classes() -> None:
    units = [tuple((label, f"{label}/{number}.jpg") for label in range(2)) for number in range(100)]
    drawn = draw(classes(100, 100), units, PERCENTS)
    assert counts(drawn) == {"train": [80, 80], "validation": [10, 10], "test": [10, 10]}


def test_every_split_has_a_unit() -> None:
    assert Counter(
        sum(map(len, each)) for each in draw(classes(15, 15), [*groups(0, 15, 5), *groups(1, 15, 5)], PERCENTS).values()
    ) == {20: 1, 5: 2}
    with pytest.raises(ValueError, match="of 20 photos, too many belong together, as copies, groups or bursts"):
        draw(classes(10, 10), [*groups(0, 10, 10), *groups(1, 10, 10)], PERCENTS)


def test_drawn_splits_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of 14 million photos, where it is 50,000; or half a unit more, since none is cut."""
    monkeypatch.setattr(drawing, "MAX_DRAWN_IMAGES", 6)
    for units, most in (([], 6), (groups(0, 100, 2), 7)):
        found = {split: sum(of_split) for split, of_split in counts(draw(classes(100, 100), units, PERCENTS)).items()}
        assert 6 <= found["validation"] <= most
        assert 6 <= found["test"] <= most
        assert sum(found.values()) == 200


def test_splits_of_the_source_leave_two_to_draw() -> None:
    assert counts(draw(classes(100, 100), groups(0, 100, 2), {"train": 96, "validation": 4})) == {
        "train": [96, 96],
        "validation": [4, 4],
    }
