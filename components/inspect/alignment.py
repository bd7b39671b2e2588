"""Compares pairs of thumbnails as they lie best on each other: shifted, cropped or scaled a little, maybe mirrored.

A pair is first compared roughly, in all positions of a grid and both ways round. If a position looks right, it is
refined by Gauss-Newton steps (Lucas and Kanade 1981; Baker and Matthews 2004) with free brightness and contrast.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.inspect.thumbnails import SIDE, resize_matrix

Floats = NDArray[np.floating]

ROUGH_SIDE, _HALF_SIDE = 8, SIDE // 2
ROUGH_CORRELATION = 0.9  # a pair that is below it in all positions of the grid is not refined
MIN_OVERLAP_FRACTION = 0.5  # of the area of each image
STEPS = 6
_ROUGH_PAIRS, _FINE_PAIRS = 1024, 128  # at once: some 20 MB each
_MOST_STEP, _MOST_SHIFT, _SCALES = 0.1, 0.5, (0.6, 1.6)  # steps and shifts in half sides
_MARGIN_PIXELS = 0.5  # along the border of either image, where blurring has mixed in what lies outside
# Parts of a side, from and to, 0-1. A box of the grid has rows and columns from the same line.
_SPANS = (
    ((0.0, 1.0),),
    ((0.0, 0.92), (0.04, 0.96), (0.08, 1.0)),
    ((0.0, 0.84), (0.08, 0.92), (0.16, 1.0)),
    ((0.125, 0.875),),
    ((0.165, 0.835),),
)
_BOXES = np.array([box for spans in _SPANS for box in product(spans, spans)])  # (boxes, rows and columns, from and to)
# The number of each box's mirror image.
_MIRROR_BOXES = np.array(
    [np.abs(_BOXES - np.stack([rows, 1 - columns[::-1]])).sum(axis=(1, 2)).argmin() for rows, columns in _BOXES]
)
_INNER = np.abs(np.arange(SIDE) - (SIDE - 1) / 2) <= (SIDE - 1) / 2 - _MARGIN_PIXELS  # all but the first and the last
_PLACES = ((np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE) * 2 - 1  # of pixels, in half sides from the middle


class Alignments(NamedTuple):
    """How each pair (n,) lies on each other: the place u of the first image is `scale` u + `shift` of the second."""

    correlation: Floats  # (n,), -1 to 1, where they overlap; 0 if no position looked right
    overlap_fraction: Floats  # (n,), of the image that overlaps less
    scale: Floats  # (n, 2), of rows and columns
    shift: Floats  # (n, 2), in half sides
    mirrored: NDArray[np.bool_]  # (n,), whether the second image is mirrored first

    def of(self, chosen: NDArray[np.int64]) -> Alignments:
        """Returns those of the chosen pairs, by their places."""
        correlation, overlap_fraction, scale, shift, mirrored = self
        return Alignments(correlation[chosen], overlap_fraction[chosen], scale[chosen], shift[chosen], mirrored[chosen])


def align(thumbnails: NDArray[np.uint8], pairs: NDArray[np.int64]) -> Alignments:
    """Compares `pairs` (n, 2), which are indices into `thumbnails` (images, SIDE, SIDE); those sorted are fastest."""
    n = len(pairs)
    found = Alignments(
        np.zeros(n, np.float32), np.zeros(n, np.float32), np.ones((n, 2), np.float32), np.zeros((n, 2), np.float32),
        np.zeros(n, bool),
    )  # fmt: skip
    boxes = np.zeros((n, 2), np.int64)
    rough = np.zeros(n, np.float32)
    for first in range(0, n, _ROUGH_PAIRS):
        block = slice(first, first + _ROUGH_PAIRS)
        rough[block], boxes[block], found.mirrored[block] = _compare_roughly(thumbnails, pairs[block])
    promising = np.flatnonzero(rough >= ROUGH_CORRELATION)
    for first in range(0, len(promising), _FINE_PAIRS):
        some = promising[first : first + _FINE_PAIRS]
        ours, theirs = thumbnails[pairs[some, 0]], thumbnails[pairs[some, 1]]
        mirrored = found.mirrored[some]
        theirs[mirrored] = theirs[mirrored, :, ::-1]
        refined = _refine(_blur(ours), _blur(theirs), *_start(boxes[some]))
        for column, values in zip(found, refined, strict=False):
            column[some] = values
    return found


def correlate_detail(thumbnails: NDArray[np.uint8], pairs: NDArray[np.int64], aligned: Alignments) -> Floats:
    """Correlates pairs (n,) as they were aligned, each image less the means of its rows and its columns there.

    What is left of a horizon is nothing: two seas have the same rows, and two ships on them do not look alike.
    """
    found = np.zeros(len(pairs), np.float32)
    for first in range(0, len(pairs), _FINE_PAIRS):
        some = slice(first, first + _FINE_PAIRS)
        ours, theirs = thumbnails[pairs[some, 0]], thumbnails[pairs[some, 1]]
        theirs[aligned.mirrored[some]] = theirs[aligned.mirrored[some], :, ::-1]
        rows, columns, mask = _sampling(aligned.scale[some], aligned.shift[some])
        moved: Floats = rows @ _blur(theirs) @ columns
        found[some] = _correlate(_less_lines(_blur(ours), mask), _less_lines(moved, mask), mask)[0]
    return found


def _less_lines(images: Floats, mask: Floats) -> Floats:
    """Returns images less the means of their rows and then of their columns, under a mask of a rectangle."""
    for axis in (1, 2):
        count = np.maximum(mask.sum(axis=axis, keepdims=True), 1)
        images = mask * (images - (mask * images).sum(axis=axis, keepdims=True) / count)
    return images


def _compare_roughly(
    thumbnails: NDArray[np.uint8], pairs: NDArray[np.int64]
) -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """Returns the best correlation of each pair, its boxes (n, 2), and whether it is better with one mirrored."""
    (left, ours), (right, theirs) = (np.unique(column, return_inverse=True) for column in pairs.T)
    straight = _patches(thumbnails[left])
    # The first one is mirrored: where pairs are sorted there are fewer of them.
    turned = straight.reshape(len(left), -1, ROUGH_SIDE, ROUGH_SIDE)[..., ::-1].reshape(straight.shape)
    both_ways = np.concatenate([straight, turned], axis=1)
    grids = both_ways[ours] @ _patches(thumbnails[right])[theirs].transpose(0, 2, 1)
    grids = grids.reshape(len(pairs), -1)
    best = grids.argmax(axis=1)
    mirrored, ours_box, theirs_box = np.unravel_index(best, (2, len(_BOXES), len(_BOXES)))
    theirs_box = np.where(mirrored, _MIRROR_BOXES[theirs_box], theirs_box)
    return grids[np.arange(len(pairs)), best], np.stack([ours_box, theirs_box], axis=1), mirrored.astype(bool)


def _patches(thumbnails: NDArray[np.uint8]) -> Floats:
    """Returns each image's boxes (n, boxes, ROUGH_SIDE²) with mean 0 and length 1; of a plain box all 0."""
    tall = thumbnails[:, ::2].astype(np.uint16) + thumbnails[:, 1::2]
    fourfold = (tall[:, :, ::2] + tall[:, :, 1::2]).astype(np.float32)
    found = (fourfold.reshape(len(thumbnails), -1) @ _BOX_WEIGHTS).reshape(len(thumbnails), len(_BOXES), -1)
    lengths = np.sqrt(np.einsum("nbp,nbp->nb", found, found))
    # Within one level of 255, all is rounding.
    found *= np.where(lengths > ROUGH_SIDE, 1 / np.maximum(lengths, 1e-6), 0).astype(np.float32)[..., None]
    return found


def unit_length(pixels: Floats) -> Floats:
    """Returns pixels (..., n) less their mean, with length 1; of a plain picture all 0."""
    centered = pixels - pixels.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centered, axis=-1, keepdims=True)
    # Within one level of 255, all is rounding.
    return np.where(length > np.sqrt(pixels.shape[-1]), centered / np.maximum(length, 1e-6), np.float32(0))


def _box_weights() -> Floats:
    """Returns what makes all boxes, less their means, of the sums of 2 x 2 pixels."""
    parts = [[resize_matrix(*span, _HALF_SIDE, ROUGH_SIDE) for span in box] for box in _BOXES]
    boxes = [np.kron(rows, columns) / 4 for rows, columns in parts]
    return np.concatenate([box - box.mean(axis=0) for box in boxes]).T.astype(np.float32)


_BOX_WEIGHTS = _box_weights()  # (_HALF_SIDE², boxes ROUGH_SIDE²)


def _start(boxes: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Returns the scale and the shift (n, 2) that lay the first of two boxes of the grid on the second."""
    (ours_from, ours_to), (theirs_from, theirs_to) = (np.moveaxis(_BOXES[column] * 2 - 1, 2, 0) for column in boxes.T)
    scale = (theirs_to - theirs_from) / (ours_to - ours_from)
    return scale.astype(np.float32), (theirs_from - scale * ours_from).astype(np.float32)


def _refine(ours: Floats, theirs: Floats, scale: Floats, shift: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Returns the best correlation on the way, the overlap there (n,), and its scale and shift (n, 2)."""
    slopes = [np.gradient(theirs, axis=axis).astype(np.float32) * (SIDE / 2) for axis in (1, 2)]
    best_correlation, best_overlap = np.zeros((2, len(ours)), np.float32)
    best_scale, best_shift = scale.copy(), shift.copy()
    for step in range(STEPS + 1):
        rows, columns, mask = _sampling(scale, shift)
        moved: Floats = rows @ theirs @ columns
        correlation, ours_left, moved_left = _correlate(ours, moved, mask)
        overlap = mask.sum(axis=(1, 2)) / _INNER.sum() ** 2 * np.minimum(1, scale.prod(axis=1))
        better = (correlation > best_correlation) & (overlap >= MIN_OVERLAP_FRACTION)
        best_correlation[better], best_overlap[better] = correlation[better], overlap[better]
        best_scale[better], best_shift[better] = scale[better], shift[better]
        if step < STEPS:
            down, across = (rows @ slope @ columns * mask for slope in slopes)
            change = _solve((down * _PLACES[:, None], across * _PLACES, down, across, -ours_left, -mask), moved_left)
            scale = np.clip(scale + change[:, :2], *_SCALES)
            shift = np.clip(shift + change[:, 2:], -_MOST_SHIFT, _MOST_SHIFT)
    return best_correlation, best_overlap, best_scale, best_shift


def _sampling(scale: Floats, shift: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns weights of rows (n, to, from) and columns (n, from, to), and a mask of what counts (n, to, to)."""
    places = scale[:, :, None] * _PLACES + shift[:, :, None]  # (n, rows and columns, SIDE)
    pixels = (places + 1) * (SIDE / 2) - 0.5
    inside = ((pixels >= _MARGIN_PIXELS) & (pixels <= SIDE - 1 - _MARGIN_PIXELS) & _INNER).astype(np.float32)
    weights = np.maximum(0, 1 - np.abs(pixels.clip(0, SIDE - 1)[..., None] - np.arange(SIDE, dtype=np.float32)))
    return weights[:, 0], weights[:, 1].transpose(0, 2, 1), inside[:, 0, :, None] * inside[:, 1, None, :]


def _correlate(ours: Floats, moved: Floats, mask: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns the correlation under the mask (n,), and both images less their means there, 0 elsewhere."""
    count = np.maximum(mask.sum(axis=(1, 2), keepdims=True), 1)
    left = [mask * (image - (mask * image).sum(axis=(1, 2), keepdims=True) / count) for image in (ours, moved)]
    lengths = [np.sqrt((image**2).sum(axis=(1, 2))) for image in left]
    plain = np.minimum(*lengths) < np.sqrt(count[:, 0, 0])
    products = (left[0] * left[1]).sum(axis=(1, 2))
    return np.where(plain, 0, products / np.maximum(lengths[0] * lengths[1], 1e-6)), left[0], left[1]


def _solve(columns: tuple[Floats, ...], target: Floats) -> Floats:
    """Returns the least squares' first four unknowns (n, 4) for which the columns make up for the target."""
    basis = np.stack(columns, axis=1).reshape(len(target), len(columns), -1)
    products = basis @ basis.transpose(0, 2, 1)
    ridge = 1e-4 * np.trace(products, axis1=1, axis2=2) / len(columns) + 1e-3
    products += ridge[:, None, None] * np.eye(len(columns), dtype=np.float32)
    wanted = -(basis @ target.reshape(len(target), -1, 1))
    return np.clip(np.linalg.solve(products, wanted)[:, :4, 0], -_MOST_STEP, _MOST_STEP).astype(np.float32)


def _blur(thumbnails: NDArray[np.uint8]) -> Floats:
    """Returns the images (n, SIDE, SIDE) blurred by 1-2-1, which hides what JPEG and scaling change."""
    wide = np.pad(thumbnails.astype(np.float32), ((0, 0), (1, 1), (1, 1)), mode="edge")
    tall: Floats = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4
    blurred: Floats = (tall[:, :, :-2] + 2 * tall[:, :, 1:-1] + tall[:, :, 2:]) / 4
    return blurred
