"""Reads the images on which every exported file is verified, with the evaluated model's predictions for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.artifacts import Evaluation, Examples, Model
from components.component import ComponentError
from components.push.drawn_images import count_images, drawn_evenly, read_drawn


@dataclass(frozen=True)
class EvaluatedImages:
    """Images of the test split with their labels and evaluated predictions, in the split's order."""

    images_file: Path  # .npy, uint8 (n, height, width, 3), RGB: on disk, since it may not fit in memory
    labels: np.ndarray  # int64 (n,)
    probabilities: np.ndarray  # float32 (n, classes), as evaluated
    step: int = 1  # the file holds n * step images, and these are every step-th of them

    @property
    def images(self) -> np.ndarray:
        """The images, uint8 (n, height, width, 3), read from the disk as they are used."""
        return np.load(self.images_file, mmap_mode="r")[:: self.step]

    def every(self, step: int) -> EvaluatedImages:
        """Returns every step-th of the images."""
        return EvaluatedImages(self.images_file, self.labels[::step], self.probabilities[::step], self.step * step)


def read_evaluated_images(
    examples: Examples, model: Model, evaluation: Evaluation, folder: Path, max_megapixels: float | None = None
) -> EvaluatedImages:
    """Reads the test split, or as much of it as has `max_megapixels` at the model's size, into `folder`.

    Raises ComponentError if images and predictions do not belong together.
    """
    height, width, count = model.image_height, model.image_width, evaluation.example_count
    chosen = drawn_evenly(count, _max_images(max_megapixels, height, width, count))
    if (found := count_images(examples, "test")) != count:
        raise ComponentError(f"The test split has {found} images, {count} were evaluated. Evaluate again.")
    labels, probabilities = _read_predictions(evaluation, chosen)
    images_file = folder / "test_images.npy"
    shape = (len(chosen), height, width, 3)
    images = np.lib.format.open_memmap(images_file, mode="w+", dtype=np.uint8, shape=shape)
    start = 0
    for image_batch, label_batch in read_drawn(examples, "test", chosen, height, width).as_numpy_iterator():
        stop = start + len(label_batch)
        if not np.array_equal(labels[start:stop], label_batch):
            raise ComponentError(
                f"The labels of the test split {examples.splits['test']!r} differ from the evaluated ones within "
                f"images {chosen[start]} to {chosen[stop - 1]}: the evaluation is of other data, or in another order. "
                "Evaluate again."
            )
        images[start:stop] = image_batch
        start = stop
    images.flush()
    return EvaluatedImages(images_file, labels, probabilities)


def _max_images(max_megapixels: float | None, height: int, width: int, count: int) -> int:
    return count if max_megapixels is None else max(1, int(max_megapixels * 1e6 / (height * width)))


def _read_predictions(evaluation: Evaluation, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the labels and probabilities of the chosen images. One shard at a time is held as a whole."""
    files = sorted((evaluation.folder / "predictions").glob("*.npz"))
    if not files:
        raise ComponentError(f"No predictions (*.npz) in {evaluation.folder / 'predictions'}. Evaluate again.")
    labels, probabilities, count = [], [], 0
    for file in files:
        with np.load(file) as shard:
            label = shard["label"]
            here = chosen[(chosen >= count) & (chosen < count + len(label))] - count
            labels.append(label[here])
            probabilities.append(shard["probabilities"][here])
            count += len(label)
    if count != evaluation.example_count:
        raise ComponentError(
            f"{evaluation.folder / 'predictions'} has predictions for {count} images; {evaluation.example_count} were "
            "evaluated. Evaluate again."
        )
    return np.concatenate(labels), np.concatenate(probabilities)
