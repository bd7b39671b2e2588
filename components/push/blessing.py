"""The images that every exported file is proven on, with what the evaluated model said of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.artifacts import Evaluation, Examples, Model
from components.component import Refusal
from components.push.batches import BATCH_IMAGES
from components.reading import read_resized


@dataclass(frozen=True)
class Blessing:
    """The blessing split, in its order."""

    images_file: Path  # .npy, uint8 (n, height, width, 3), RGB: on disk, since it need not fit in memory
    labels: np.ndarray  # int64 (n,)
    probabilities: np.ndarray  # float32 (n, classes), as evaluated

    @property
    def images(self) -> np.ndarray:
        """uint8 (n, height, width, 3), read from the disk as they are used."""
        return np.load(self.images_file, mmap_mode="r")


def read_blessing(examples: Examples, model: Model, evaluation: Evaluation, folder: Path) -> Blessing:
    """Reads the split into `folder`. Raises Refusal where images and predictions do not belong together."""
    labels, probabilities = _read_predictions(evaluation)
    images_file = folder / "blessing_images.npy"
    shape = (len(labels), model.image_height, model.image_width, 3)
    images = np.lib.format.open_memmap(images_file, mode="w+", dtype=np.uint8, shape=shape)
    stored = read_resized(examples, examples.splits["blessing"], model.image_height, model.image_width)
    count = 0
    for image_batch, label_batch in stored.batch(BATCH_IMAGES).prefetch(1).as_numpy_iterator():
        stop = count + len(label_batch)
        if not np.array_equal(labels[count:stop], label_batch):
            raise Refusal(
                f"The labels of the blessing split {examples.splits['blessing']!r} differ from the evaluated ones "
                f"within images {count} to {stop}: the evaluation is of other data, or in another order. "
                "Evaluate again."
            )
        images[count:stop] = image_batch
        count = stop
    if count != len(labels):
        raise Refusal(f"The blessing split has {count} images, {len(labels)} were evaluated. Evaluate again.")
    images.flush()
    return Blessing(images_file, labels, probabilities)


def _read_predictions(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    files = sorted((evaluation.folder / "predictions").glob("*.npz"))
    if not files:
        raise Refusal(f"No predictions (*.npz) in {evaluation.folder / 'predictions'}. Evaluate again.")
    shards = [dict(np.load(file)) for file in files]
    return tuple(np.concatenate([shard[key] for shard in shards]) for key in ("label", "probabilities"))  # type: ignore[return-value]
