"""Says in numbers and words what Findings hold, and chooses the worst of them."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from components.findings import Finding, FindingKind, Findings


class Survey(NamedTuple):
    """What one pass over the findings of a kind gives."""

    worst: list[Finding]  # the worst first
    images: Counter[str]  # images in findings, by split
    copied: Counter[str]  # images of the test split with a near copy in another split, by that split
    answered: int = 0  # findings about which people have decided


def survey(
    findings: Findings, kind: FindingKind, most: int, is_answered: Callable[[Finding], bool] = lambda finding: False
) -> Survey:
    """Reads all findings of a kind, and keeps in memory the `most` worst about which people have not decided.

    A near copy is worst if the test split shares it, then if other splits do, then if it lies under two labels. Beyond
    that, the surest comes first.
    """
    images: Counter[str] = Counter()
    copied: Counter[str] = Counter()
    answered = 0

    def counted() -> Iterator[Finding]:
        nonlocal answered
        for finding in findings.read_findings(kind):
            inside = Counter(image.split for image in finding.images)
            images.update(inside)
            copied.update({split: inside["test"] for split in inside if split != "test"})
            if is_answered(finding):
                answered += 1
            else:
                yield finding

    worst = heapq.nsmallest(most, counted(), key=_rank)  # which keeps the order of equals
    return Survey(worst, images, copied, answered)


def _rank(finding: Finding) -> tuple[bool, bool, bool]:
    splits, labels = {image.split for image in finding.images}, {image.label for image in finding.images}
    crosses = len(splits) > 1
    return not (crosses and "test" in splits), not crosses, len(labels) == 1


def sentences(findings: Findings, surveys: dict[FindingKind, Survey]) -> Iterator[str]:
    """Yields a sentence about each kind of finding, with what it means."""
    counts = findings.image_counts
    if tested := counts.get("test", 0):
        copied = surveys["near_copy"].copied
        others = " and ".join(
            f"{copied[split]:,} among the {name} images"
            for split, name in (("train", "training"), ("validation", "validation"))
            if copied[split]
        )
        if others:
            yield (
                f"Of {tested:,} test images, {_have(findings.leaked_images)} a near copy in another split "
                f"({others}): the accuracy counts images that the model may have seen."
            )
        else:
            yield f"None of {tested:,} test images has a near copy in another split."
    labels, odd = findings.counts.get("label_issue", 0), findings.counts.get("odd_image", 0)
    total = sum(counts.values())
    looks = "1 looks" if labels == 1 else f"{labels:,} look"
    yield (
        f"Of {total:,} labels, {looks} wrong, by the judgement of models that did not learn from them"
        f"{_answered(surveys['label_issue'].answered)}."
    )
    are, their = ("1 is", "its") if odd == 1 else (f"{odd:,} are", "their")
    yield (
        f"Of {total:,} images, {are} odd: unlike the others of {their} class, or hardly to be seen"
        f"{_answered(surveys['odd_image'].answered)}."
    )


def _answered(count: int) -> str:
    return f"; people have looked at {count:,} of them" if count else ""


def _have(count: int) -> str:
    return "1 has" if count == 1 else f"{count:,} have"


def count_words(findings: Findings) -> str:
    """Returns how much was found in a few words: "3 groups of near copies, 1 label that looks wrong, no odd images"."""
    words: dict[FindingKind, tuple[str, str]] = {
        "near_copy": ("group of near copies", "groups of near copies"),
        "label_issue": ("label that looks wrong", "labels that look wrong"),
        "odd_image": ("odd image", "odd images"),
    }
    counts = ((findings.counts.get(kind, 0), *each) for kind, each in words.items())
    return ", ".join(f"{count or 'no'} {one if count == 1 else many}" for count, one, many in counts)
