from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from components.corrections_file import UNDONE, Correction, append_corrections
from pipeline.review.decisions import Decisions
from pipeline.review.opening import Item, open_review
from tests.pipeline.review.findings import Reviewed

LABEL, PAIR, BURST = 0, 1, 2  # places of the findings, the surest first


@pytest.fixture
def items(reviewed: Reviewed) -> tuple[Item, ...]:
    return open_review(reviewed.root, None, None, None).items


@pytest.fixture
def decisions(reviewed: Reviewed) -> Decisions:
    """Its clock gives another time at each look."""
    times = iter(f"2026-11-27T00:00:00.{number:03}" for number in range(1000))
    return Decisions(reviewed.file, reviewed.photos, lambda: next(times))


def test_what_is_decided_is_known_by_who_comes_later(
    reviewed: Reviewed, items: tuple[Item, ...], decisions: Decisions
) -> None:
    assert not any(map(decisions.is_decided, items))
    decisions.decide(["cat/0.png"], "label", label="dog", why="looks like a dog")
    later = Decisions(reviewed.file, reviewed.photos)
    later.refresh()
    assert [later.is_decided(item) for item in items] == [True, False, False, False, False]
    assert reviewed.decisions() == [("cat/0.png", "label", "dog", "")]


def test_lines_of_others_are_seen(reviewed: Reviewed, items: tuple[Item, ...], decisions: Decisions) -> None:
    append_corrections(reviewed.file, [Correction("cat/0.png", decisions.digest("cat/0.png"), "keep")])
    assert not decisions.is_decided(items[LABEL])
    decisions.refresh()
    assert decisions.is_decided(items[LABEL])


def test_a_photo_that_has_changed_is_asked_again(
    reviewed: Reviewed, items: tuple[Item, ...], decisions: Decisions
) -> None:
    decisions.decide(["cat/0.png"], "keep")
    assert decisions.is_decided(items[LABEL])
    Image.new("RGB", (9, 9)).save(reviewed.photos / "cat" / "0.png")
    assert not decisions.is_decided(items[LABEL])


def test_each_photo_of_near_copies_is_asked_about(items: tuple[Item, ...], decisions: Decisions) -> None:
    burst = items[BURST]
    decisions.decide([burst.files[1]], "same", other=burst.files[0])
    assert not decisions.is_decided(burst)
    decisions.decide([burst.files[2]], "not_same", other=burst.files[0])
    assert decisions.is_decided(burst)
    assert decisions.of_pairs(burst) == "not_same"


def test_near_copies_of_which_one_is_left_are_decided(items: tuple[Item, ...], decisions: Decisions) -> None:
    decisions.decide(items[PAIR].files[:1], "label", label="dog")
    assert not decisions.is_decided(items[PAIR])
    decisions.decide(items[PAIR].files[:1], "leave_out")
    assert decisions.is_decided(items[PAIR])
    decisions.decide(items[BURST].files[:2], "leave_out")
    assert decisions.is_decided(items[BURST])


def test_undo_appends_and_takes_one_decision_back_after_the_other(
    reviewed: Reviewed, items: tuple[Item, ...], decisions: Decisions
) -> None:
    item = items[LABEL]
    for decision, label in (("label", "dog"), ("leave_out", ""), ("label", "bird")):
        decisions.decide(item.files, decision, label=label)
    told = []
    while decisions.undo(item):
        standing = decisions.of_file("cat/0.png")
        told.append((standing.decision, standing.label) if standing else None)
    assert told == [("leave_out", ""), ("label", "dog"), None]
    assert not decisions.is_decided(item)
    assert [(decision, label) for _, decision, label, _ in reviewed.decisions()[3:]] == [
        ("leave_out", ""), ("label", "dog"), ("keep", ""),
    ]  # fmt: skip
    assert [each.why for each in reviewed.lines()] == ["", "", "", UNDONE, UNDONE, UNDONE]
    decisions.decide(item.files, "keep")
    assert decisions.is_decided(item)


def test_undo_takes_all_pairs_of_one_decision_back(items: tuple[Item, ...], decisions: Decisions) -> None:
    burst = items[BURST]
    decisions.decide(burst.files[:1], "label", label="cat")
    decisions.decide(burst.files[1:], "same", other=burst.files[0])
    assert decisions.undo(burst)
    assert not decisions.is_decided(burst)
    assert decisions.of_pairs(burst) == ""
    assert decisions.of_file(burst.files[0]) is not None
    assert decisions.undo(burst)
    assert decisions.of_file(burst.files[0]) is None
    assert not decisions.undo(burst)


def test_a_photo_that_is_gone_cannot_be_decided(reviewed: Reviewed, decisions: Decisions) -> None:
    (reviewed.photos / "cat" / "0.png").unlink()
    with pytest.raises(FileNotFoundError):
        decisions.decide(["cat/0.png"], "keep")
    assert not Path(reviewed.file).exists()
