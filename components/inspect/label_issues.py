"""Finds images whose label looks wrong, by confident learning.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels" (2021): a head that has not
seen an image judges it; the image counts for a class if it is as probable there as images of that class are on average.
As many labels are taken for wrong as there are images that count for another class than their label's. These are the
ones whose label is least probable beside a class that is probable. The head is fitted twice: images whose label looks
doubtful at first count less the second time, so that wrong labels bend it less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from components.findings import Finding
from components.inspect.discriminant import Floats, Groups, HeldOutHead
from components.inspect.pool import Pool
from components.inspect.vectors import SplitVectors

# Of a class with fewer images, too few are left to know it by when a fold is held out.
MINIMUM_CLASS_IMAGES = 5
# How many times as probable as the frequencies of the classes alone make it, beside the label, the other class must be:
# where the vectors tell nothing, the commonest class is no better label for all others.
MINIMUM_EVIDENCE = 3.0
SMALLEST_WEIGHT = 0.05  # of an image in the second fit
SCORE_DIGITS = 4  # the seventh depends on the machine, and on its number of threads


def find_label_issues(splits: Sequence[SplitVectors], class_count: int, groups: Groups | None = None) -> list[Finding]:
    """Returns the images whose label looks wrong, with the class that fits better, the surest first.

    With the probability p of the other class and q of the label's, the score is p² / (p² + q). Labels that are wrong in
    the same way for a whole class look right: nothing says otherwise.

    Args:
        splits: the vectors of all splits; wrong labels are looked for in all of them alike.
        class_count: number of classes. Images of classes with fewer than five images are not judged.
        groups: by split and index, the group of near copies that an image belongs to. Left out, copies of a wrongly
            labeled image vouch for its label.
    """
    pool = Pool(splits)
    counts = np.bincount(pool.labels, minlength=class_count)
    if (counts >= MINIMUM_CLASS_IMAGES).sum() < 2:
        return []
    first = HeldOutHead(pool, class_count, groups)
    head = HeldOutHead(pool, class_count, groups, _belief_in_labels(first, pool.labels))
    thresholds = _mean_self_confidence(head, pool.labels, class_count)
    log_frequencies = np.log(np.maximum(counts, 1) / len(pool)).astype(np.float32)
    found: list[tuple[float, int, int]] = []
    wrong_labels = 0
    for span, log_probabilities in head.held_out():
        labels = pool.labels[span]
        judged = np.isfinite(_of_labels(log_probabilities, labels)) & (counts[labels] >= MINIMUM_CLASS_IMAGES)
        wrong_labels += int(_counts_for_another(log_probabilities, labels, thresholds)[judged].sum())
        others, odds, sureness = _best_others(log_probabilities, labels)
        evidence = odds - (log_frequencies[others] - log_frequencies[labels])
        rows = np.flatnonzero(judged & (odds > 0) & (evidence >= np.log(MINIMUM_EVIDENCE)))
        found += [(float(sureness[row]), span.start + row, int(others[row])) for row in rows.tolist()]
    found.sort(key=lambda issue: (-issue[0], issue[1]))
    return [_finding(pool, number, other, sureness) for sureness, number, other in found[:wrong_labels]]


def _belief_in_labels(head: HeldOutHead, labels: NDArray[np.int64]) -> Floats:
    """Returns the probability of each image's label by that of its best class, (n,); 1 if the head does not know it."""
    belief = np.ones(len(labels), np.float32)
    for span, log_probabilities in head.held_out():
        own = _of_labels(log_probabilities, labels[span])
        ratios = np.exp(own - log_probabilities.max(axis=1))
        belief[span] = np.where(np.isfinite(own), np.maximum(ratios, np.float32(SMALLEST_WEIGHT)), 1)
    return belief


def _mean_self_confidence(head: HeldOutHead, labels: NDArray[np.int64], class_count: int) -> NDArray[np.float64]:
    """Returns the mean probability of each class for the images that carry its label; 1 if there is none."""
    sums, counts = np.zeros(class_count), np.zeros(class_count)
    for span, log_probabilities in head.held_out():
        own = _of_labels(log_probabilities, labels[span])
        judged = np.isfinite(own)
        sums += np.bincount(labels[span][judged], np.exp(own[judged]), class_count)
        counts += np.bincount(labels[span][judged], minlength=class_count)
    return np.where(counts > 0, sums / np.maximum(counts, 1), 1.0)


def _counts_for_another(
    log_probabilities: Floats, labels: NDArray[np.int64], thresholds: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tells of each image whether it counts for a class, and for another one than its label's."""
    with np.errstate(divide="ignore"):
        confident = np.where(log_probabilities >= np.log(thresholds), log_probabilities, -np.inf)
    found: NDArray[np.bool_] = np.isfinite(confident.max(axis=1)) & (confident.argmax(axis=1) != labels)
    return found


def _best_others(log_probabilities: Floats, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Returns for each image the best class beside its label's, the logarithm of its odds beside it, and the sureness.

    The sureness is the logarithm of the odds times the probability of that class: a label that fits badly, where no
    other class fits well either, is less surely wrong. The odds are 0 where the head does not know the label.
    """
    others = log_probabilities.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    best = others.argmax(axis=1)
    own, other = _of_labels(log_probabilities, labels), _of_labels(others, best)
    odds = np.zeros(len(labels), np.float32)
    np.subtract(other, own, out=odds, where=np.isfinite(own))
    return best, odds, odds + other


def _of_labels(log_probabilities: Floats, labels: NDArray[np.int64]) -> Floats:
    found: Floats = log_probabilities[np.arange(len(labels)), labels]
    return found


def _finding(pool: Pool, number: int, other: int, sureness: float) -> Finding:
    score = round(1 / (1 + float(np.exp(-sureness))), SCORE_DIGITS)
    return Finding(
        kind="label_issue",
        images=(pool.reference(number),),
        score=score,
        suggested_label=other,
        reason="looks like another class",
    )
