from __future__ import annotations

import pytest

from pipeline.review.decisions import Decisions
from pipeline.review.opening import Review, open_review
from pipeline.review.queue import HELD_SECONDS, Filter, Queue
from tests.pipeline.review.findings import Reviewed


@pytest.fixture
def review(reviewed: Reviewed) -> Review:
    return open_review(reviewed.root, None, None, None)


@pytest.fixture
def decisions(review: Review) -> Decisions:
    return Decisions(review.corrections, review.folder)


def test_the_surest_comes_first_and_what_is_decided_never_again(review: Review, decisions: Decisions) -> None:
    queue = Queue(review, decisions)
    assert queue.next("Ada", Filter()) == ([0, 1], (5, 0))
    decisions.decide(review.items[0].files, "keep")
    assert queue.next("Ada", Filter()) == ([1, 2], (4, 1))


def test_what_was_skipped_comes_again_at_the_end(review: Review, decisions: Decisions) -> None:
    queue = Queue(review, decisions)
    assert queue.next("Ada", Filter(), after=3)[0] == [4, 0]
    assert queue.next("Ada", Filter(), after=4)[0] == [0, 1]


def test_two_people_are_asked_different_things(review: Review, decisions: Decisions) -> None:
    seconds = [0.0]
    queue = Queue(review, decisions, lambda: seconds[0])
    assert queue.next("Ada", Filter())[0] == [0, 1]
    assert queue.next("Grace", Filter())[0] == [1, 2]
    assert queue.next("Ada", Filter())[0] == [0, 2]
    odd = Filter("odd_image")
    assert queue.next("Ada", odd)[0] == queue.next("Grace", odd)[0] == [4]  # rather than nothing
    seconds[0] = HELD_SECONDS
    assert queue.next("Linus", Filter())[0][0] == 0


@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [
        (Filter("near_copy"), [1, 2]),
        (Filter("label_issue"), [0, 3]),
        (Filter(label="bird"), [3, 4]),
        (Filter(label="cat"), [0, 1]),  # and 3, for which it is the better label
        (Filter("near_copy", "dog"), [2]),
        (Filter("near_copy", "no class"), []),
    ],
)
def test_filters(review: Review, decisions: Decisions, chosen: Filter, numbers: list[int]) -> None:
    assert Queue(review, decisions).next("Ada", chosen)[0] == numbers


def test_the_better_label_fits_a_filter_too(review: Review, decisions: Decisions) -> None:
    assert Queue(review, decisions).next("Ada", Filter("label_issue", "cat"))[0] == [0, 3]


def test_findings_whose_photos_are_gone_are_passed_over(
    reviewed: Reviewed, review: Review, decisions: Decisions
) -> None:
    (reviewed.photos / "cat" / "0.png").unlink()
    (reviewed.photos / "cat" / "2.png").unlink()
    assert Queue(review, decisions).next("Ada", Filter())[0] == [2, 3]


def test_lines_that_somebody_removes_are_asked_again(reviewed: Reviewed, review: Review, decisions: Decisions) -> None:
    queue = Queue(review, decisions)
    for number in (0, 3):
        decisions.decide(review.items[number].files, "keep")
    assert queue.next("Ada", Filter()) == ([1, 2], (3, 2))
    header, _, last = reviewed.file.read_bytes().splitlines(keepends=True)
    reviewed.file.write_bytes(header + last)
    assert queue.next("Ada", Filter()) == ([0, 1], (4, 1))
