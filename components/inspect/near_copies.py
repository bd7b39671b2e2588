"""Finds groups of images that nearly repeat each other, such as a burst, or a picture that was saved again.

Candidates are neighbors by the network's features and by coarse pixels together: the features know a picture that was
cropped or framed, the pixels one that was compressed. Then the thumbnails are laid on each other, and must agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.findings import Finding
from components.inspect.alignment import Alignments, align, correlate_detail, unit_length
from components.inspect.neighbors import Neighbors, nearest
from components.inspect.thumbnails import SIDE, resize_matrix
from components.inspect.vectors import SplitVectors

# Pairs that agree in their pixels to CERTAIN are copies; from LIKELY on, those whose signatures are alike too. Of the
# sample's first 46 pairs beyond CERTAIN one is no copy; below it, ships on a horizon agree whose signatures reach 0.8.
CERTAIN_CORRELATION, LIKELY_CORRELATION = 0.98, 0.965
LIKELY_COSINE = 0.82
MIN_OVERLAP_FRACTION = 0.6
# Without what all rows and all columns share: of what people judged to be copies in CIFAR-10, the least has 0.95.
MIN_DETAIL_CORRELATION = 0.9
# Candidates are an image's nearest, and of its other neighbors those that are alike: copies whose signatures are less
# alike are among the nearest.
NEAREST, ALIKE_COSINE = 10, 0.7
JOIN_COSINE = 0.5  # between the means of groups that one pair of copies would join
NEIGHBORS = 16  # an image's mirror image counts too, and so do those of its neighbors
FEATURES, FEATURES_WEIGHT = 192, 0.7  # principal components of the network's features
PIXELS_SIDE = 8
FITTED_IMAGES = 20_000  # that the principal components are found of
BLOCK = 4096
CHANGED = 0.02  # of a scale or a shift, in half sides: half a pixel of a thumbnail


class Signatures(NamedTuple):
    """What candidates are found by: float16 (2, n, features), of length 1, of each image and of its mirror image."""

    views: NDArray[np.float16]

    @property
    def every(self) -> NDArray[np.float16]:
        """All of them, (2 n, features), the images' own first."""
        return self.views.reshape(-1, self.views.shape[-1])


class Link(NamedTuple):
    """Two images that are copies, by their positions, and how sure that is."""

    left: int
    right: int
    score: float
    changes: tuple[str, ...]  # in words


def find_near_copies(splits: Sequence[SplitVectors], thumbnails: Mapping[str, NDArray[np.uint8]]) -> list[Finding]:
    """Returns a finding for each group of near copies, the surest first; its images sorted by split and index.

    Args:
        splits: the vectors of all images.
        thumbnails: uint8 (n, SIDE, SIDE) of each split's images, by its name.
    """
    digests = np.concatenate([split.digests for split in splits])
    firsts, same = _distinct(digests)
    pictures = _take([thumbnails[split.split] for split in splits], firsts)
    signatures = _sign(splits, firsts, pictures)
    links = _find_links(signatures, pictures)
    members = np.split(np.argsort(same, kind="stable"), np.cumsum(np.bincount(same))[:-1])
    found = [_describe(splits, members, *group) for group in _join(links, signatures, members)]
    return sorted(found, key=lambda each: (-each.score, each.images[0].split, each.images[0].index))


def _distinct(digests: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the first position of each digest, rising (n,), and for each position which of these has its digest."""
    _, firsts, same = np.unique(digests, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    return firsts[order], np.argsort(order)[same.ravel()]


def _take(parts: Sequence[NDArray[np.uint8]], chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Returns the chosen rows, whose positions rise, of all parts together, without a copy of the parts."""
    taken = np.empty((len(chosen), *parts[0].shape[1:]), np.uint8)
    start = 0
    for part in parts:
        first, last = np.searchsorted(chosen, (start, start + len(part)))
        np.take(part, chosen[first:last] - start, axis=0, out=taken[first:last])
        start += len(part)
    return taken


def _sign(splits: Sequence[SplitVectors], chosen: NDArray[np.int64], pictures: NDArray[np.uint8]) -> Signatures:
    """Makes the signatures of the chosen images, by their positions in all splits together."""
    starts = np.cumsum([0, *(len(split.labels) for split in splits)])
    numbers = np.searchsorted(starts, chosen, side="right") - 1

    def views(block: NDArray[np.int64]) -> NDArray[np.float32]:
        parts = [splits[numbers[k]].views[chosen[k] - starts[numbers[k]]] for k in block]
        return _scaled(np.stack(parts).astype(np.float32))

    step = -(-len(chosen) // FITTED_IMAGES)
    sample = views(np.arange(0, len(chosen), step))[:, 0]
    mean = sample.mean(axis=0)
    _, directions = np.linalg.eigh((sample - mean).T @ (sample - mean))
    directions = directions[:, ::-1][:, :FEATURES]
    signed = np.empty((2, len(chosen), directions.shape[1] + PIXELS_SIDE**2), np.float16)
    for first in range(0, len(chosen), BLOCK):
        block = np.arange(first, min(first + BLOCK, len(chosen)))
        seen = pictures[block]
        for side, view, pixels in zip(signed, views(block).transpose(1, 0, 2), (seen, seen[:, :, ::-1]), strict=True):
            side[block] = _sign_block((view - mean) @ directions, pixels)
    return Signatures(signed)


def _sign_block(features: NDArray[np.float32], pictures: NDArray[np.uint8]) -> NDArray[np.float16]:
    weights = resize_matrix(0.0, 1.0, SIDE, PIXELS_SIDE)
    pixels = unit_length((weights @ pictures.astype(np.float32) @ weights.T).reshape(len(pictures), -1))
    parts = [np.sqrt(FEATURES_WEIGHT) * _scaled(features), np.sqrt(1 - FEATURES_WEIGHT) * pixels]
    return _scaled(np.concatenate(parts, axis=1)).astype(np.float16)


def _scaled(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the vectors (..., features) with length 1; zeros stay zeros."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)


def _find_links(signatures: Signatures, pictures: NDArray[np.uint8]) -> list[Link]:
    """Returns the pairs that are copies, the surest first."""
    count = len(pictures)
    if count < 2:
        return []
    pairs, cosines = _candidates(signatures)
    aligned = align(pictures, pairs)
    agree = (aligned.correlation >= CERTAIN_CORRELATION) | (
        (aligned.correlation >= LIKELY_CORRELATION) & (cosines >= LIKELY_COSINE)
    )
    copies = np.flatnonzero(agree & (aligned.overlap_fraction >= MIN_OVERLAP_FRACTION))
    detail = correlate_detail(pictures, pairs[copies], aligned.of(copies))
    copies = copies[detail >= MIN_DETAIL_CORRELATION]
    copies = copies[np.argsort(-aligned.correlation[copies], kind="stable")]
    scores = np.minimum(aligned.correlation, 1)
    return [
        Link(int(pairs[k, 0]), int(pairs[k, 1]), float(scores[k]), _name_changes(aligned, k)) for k in copies.tolist()
    ]


def _candidates(signatures: Signatures) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Returns pairs (n, 2) of neighbors, the lower position first, sorted; and their cosines (n,)."""
    count = signatures.views.shape[1]
    found = nearest(signatures.views[0], signatures.every, min(NEIGHBORS, 2 * count))
    blocks = [_kept(found, slice(first, first + BLOCK), count) for first in range(0, count, BLOCK)]
    codes, cosines = (np.concatenate(column) for column in zip(*blocks, strict=True))
    order = np.lexsort((-cosines, codes))
    codes, firsts = np.unique(codes[order], return_index=True)
    return np.stack([codes // count, codes % count], axis=1), cosines[order][firsts]


def _kept(found: Neighbors, block: slice, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Returns the pairs of a block of images and their candidates, the lower position times `count` and the higher."""
    order = np.argsort(-found.cosines[block], axis=1)
    indices = np.take_along_axis(found.indices[block], order, axis=1)
    cosines = np.take_along_axis(found.cosines[block], order, axis=1)
    left, right = block.start + np.arange(len(indices))[:, None], indices % count
    others = (indices >= 0) & (left != right)
    kept = others & ((others.cumsum(axis=1) <= NEAREST) | (cosines >= ALIKE_COSINE))
    return (np.minimum(left, right) * count + np.maximum(left, right))[kept], cosines[kept]


def _name_changes(aligned: Alignments, k: int) -> tuple[str, ...]:
    """Says in words what was done to one image of a pair to make the other one."""
    resized = np.abs(aligned.scale[k] - 1).max() > 2 * CHANGED
    moved = np.abs(aligned.shift[k]).max() > CHANGED
    words = ("mirrored",) * bool(aligned.mirrored[k]) + (("cropped",) if resized else ("shifted",) * bool(moved))
    return words or ("saved again",)


def _join(
    links: list[Link], signatures: Signatures, members: list[NDArray[np.int64]]
) -> Iterator[tuple[list[int], list[Link]]]:
    """Yields groups of pictures, each with the links that hold it together.

    Two groups that only one pair joins stay apart if they are unlike as a whole: one chance link between two bursts
    would make one of them.
    """
    groups = {k: [k] for link in links for k in link[:2]}
    held: dict[int, list[Link]] = {k: [] for k in groups}
    sums = {k: [view[k].astype(np.float32) for view in signatures.views] for k in groups}
    of = {k: k for k in groups}
    for link in links:
        kept, joined = sorted((of[link.left], of[link.right]))
        if kept == joined or not _alike(sums[kept], sums[joined], len(groups[kept]) + len(groups[joined])):
            continue
        for k in groups[joined]:
            of[k] = kept
        sums[kept] = [ours + theirs for ours, theirs in zip(sums[kept], sums.pop(joined), strict=True)]
        groups[kept] += groups.pop(joined)
        held[kept] += [*held.pop(joined), link]
    in_none = [k for k, copies in enumerate(members) if len(copies) > 1 and k not in groups]
    yield from ((group, held[k]) for k, group in groups.items() if len(group) > 1 or len(members[k]) > 1)
    yield from (([k], []) for k in in_none)


def _alike(ours: list[NDArray[np.float32]], theirs: list[NDArray[np.float32]], count: int) -> bool:
    if count == 2:
        return True
    center, straight, mirrored = map(_scaled, (ours[0], *theirs))
    return bool(max(center @ straight, center @ mirrored) >= JOIN_COSINE)


def _describe(
    splits: Sequence[SplitVectors], members: list[NDArray[np.int64]], group: list[int], links: list[Link]
) -> Finding:
    """Makes the finding of a group of pictures, with all images that have the same bytes as one of them."""
    starts = np.cumsum([0, *(len(split.labels) for split in splits)])
    positions = np.concatenate([members[k] for k in group])
    numbers = np.searchsorted(starts, positions, side="right") - 1
    images = [splits[n].reference(int(k - starts[n])) for n, k in zip(numbers, positions, strict=True)]
    images.sort(key=lambda image: (image.split, image.index))
    changes = {change for link in links for change in link.changes}
    if len(positions) > len(group):
        changes.add("the same bytes")
    labels, names = {image.label for image in images}, sorted({image.split for image in images})
    notes = [", ".join(sorted(changes))]
    notes += [f"under {len(labels)} labels"] * (len(labels) > 1) + [f"in {' and '.join(names)}"] * (len(names) > 1)
    score = min((link.score for link in links), default=1.0)
    return Finding(kind="near_copy", images=tuple(images), score=score, reason="; ".join(notes))
