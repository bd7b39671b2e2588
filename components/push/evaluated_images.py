"""Reads the images on which every exported file is verified, with the evaluated model's predictions for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.artifacts import Evaluation, Examples, Model
from components.component import ComponentError
from components.dataset_reader import read_resized
from components.push.batches import BATCH_IMAGES


@dataclass(frozen=True)
class EvaluatedImages:
    """The images, labels and evaluated predictions of the test split, in its order."""

    images_file: Path  # .npy, uint8 (n, height, width, 3), RGB: on disk, since it may not fit in memory
    labels: np.ndarray  # int64 (n,)
    probabilities: np.ndarray  # float32 (n, classes), as evaluated

    @property
    def images(self) -> np.ndarray:
        """The images, uint8 (n, height, width, 3), read from the disk as they are used."""
        return np.load(self.images_file, mmap_mode="r")


def read_evaluated_images(examples: Examples, model: Model, evaluation: Evaluation, folder: Path) -> EvaluatedImages:
    """Reads the test split into `folder`. Raises ComponentError if images and predictions do not belong together."""
    labels, probabilities = _read_predictions(evaluation)
    images_file = folder / "test_images.npy"
    shape = (len(labels), model.image_height, model.image_width, 3)
    images = np.lib.format.open_memmap(images_file, mode="w+", dtype=np.uint8, shape=shape)
    stored = read_resized(examples, examples.splits["test"], model.image_height, model.image_width)
    count = 0
    for image_batch, label_batch in stored.batch(BATCH_IMAGES).prefetch(1).as_numpy_iterator():
        stop = count + len(label_batch)
        if not np.array_equal(labels[count:stop], label_batch):
            raise ComponentError(
                f"The labels of the test split {examples.splits['test']!r} differ from the evaluated ones "
                f"within images {count} to {stop}: the evaluation is of other data, or in another order. "
                "Evaluate again."
            )
        images[count:stop] = image_batch
        count = stop
    if count != len(labels):
        raise ComponentError(f"The test split has {count} images, {len(labels)} were evaluated. Evaluate again.")
    images.flush()
    return EvaluatedImages(images_file, labels, probabilities)


def _read_predictions(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    files = sorted((evaluation.folder / "predictions").glob("*.npz"))
    if not files:
        raise ComponentError(f"No predictions (*.npz) in {evaluation.folder / 'predictions'}. Evaluate again.")
    shards = [dict(np.load(file)) for file in files]
    return tuple(np.concatenate([shard[key] for shard in shards]) for key in ("label", "probabilities"))  # type: ignore[return-value]
