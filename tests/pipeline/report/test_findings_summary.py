from __future__ import annotations

from pathlib import Path

import pytest

from components.findings import KINDS, Finding, Findings, ImageReference
from pipeline.report.findings_summary import count_words, sentences, survey
from tests.pipeline.report.inspected import findings


def image(split: str, index: int, label: int = 0) -> ImageReference:
    return ImageReference(split=split, index=index, label=label, digest="00")


def copies(*images: ImageReference) -> Finding:
    return Finding(kind="near_copy", images=images, score=0.9, reason="scaled")


def odd(index: int) -> Finding:
    return Finding(kind="odd_image", images=(image("train", index),), score=0.9, reason="blurred")


def findings_of(folder: Path, *found: Finding) -> Findings:
    return findings(folder, {"train": 4800, "validation": 200, "test": 1000}, found)


def test_copies_across_the_test_split_are_worst_then_across_others_then_under_two_labels(tmp_path: Path) -> None:
    within = copies(image("train", 1), image("train", 2))
    two_labels = copies(image("train", 3), image("train", 4, label=1))
    across = copies(image("train", 5), image("validation", 6))
    leaked = copies(image("train", 7), image("test", 8))
    made = findings_of(tmp_path, within, two_labels, across, leaked)
    assert survey(made, "near_copy", 10).worst == [leaked, across, two_labels, within]
    assert survey(made, "near_copy", 2).worst == [leaked, across]


def test_of_equals_the_first_of_the_file_stay_first_and_all_are_counted(tmp_path: Path) -> None:
    found = survey(findings_of(tmp_path, *map(odd, range(7))), "odd_image", 3)
    assert [each.images[0].index for each in found.worst] == [0, 1, 2]
    assert found.images == {"train": 7}


def test_what_people_have_answered_is_counted_and_not_shown(tmp_path: Path) -> None:
    made = findings_of(tmp_path, *map(odd, range(7)))
    surveys = {kind: survey(made, kind, 10, lambda finding: finding.images[0].index < 3) for kind in KINDS}
    assert [each.images[0].index for each in surveys["odd_image"].worst] == [3, 4, 5, 6]
    assert list(sentences(made, surveys))[-1] == (
        "Of 6,000 images, 7 are odd: unlike the others of their class, or hardly to be seen; people have looked at 3 "
        "of them."
    )


def test_sentences_say_how_many_test_images_were_seen_in_which_split(tmp_path: Path) -> None:
    groups = (
        copies(image("train", 1), image("test", 2), image("test", 3)),
        copies(image("train", 1), image("validation", 2), image("test", 4)),
        copies(image("train", 8), image("validation", 9)),
    )
    made = findings_of(tmp_path, *groups, odd(1))
    surveys = {kind: survey(made, kind, 10) for kind in KINDS}
    assert list(sentences(made, surveys)) == [
        "Of 1,000 test images, 3 have a near copy in another split (3 among the training images and 1 among the "
        "validation images): the accuracy counts images that the model may have seen.",
        "Of 6,000 labels, 0 look wrong, by the judgement of models that did not learn from them.",
        "Of 6,000 images, 1 is odd: unlike the others of its class, or hardly to be seen.",
    ]


def test_a_sentence_says_that_no_test_image_was_seen(tmp_path: Path) -> None:
    made = findings_of(tmp_path, copies(image("test", 1), image("test", 2)))
    surveys = {kind: survey(made, kind, 10) for kind in KINDS}
    assert next(sentences(made, surveys)) == "None of 1,000 test images has a near copy in another split."


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((), "no groups of near copies, no labels that look wrong, no odd images"),
        (
            (copies(image("train", 1), image("train", 2)), odd(1), odd(2)),
            "1 group of near copies, no labels that look wrong, 2 odd images",
        ),
    ],
)
def test_counts_are_said_in_words(tmp_path: Path, found: tuple[Finding, ...], words: str) -> None:
    assert count_words(findings_of(tmp_path, *found)) == words
