"""Defines Embeddings, the vectors that embed computes of the images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from components.artifacts.artifact import Artifact


class Embeddings(Artifact):
    """Vectors of features that a pretrained network, the backbone, computes of the images.

    vectors/   train-00003-of-00010.npz, one a shard, in the order of the split; the same for "validation", and for
               "test" if the config asks for it: label int64 (n,), digest uint8 (n, 16) of the images' bytes as stored
               (the first bytes of their SHA-256), center float16 (n, features) of the images, mirror float16
               (n, features) of their mirror images, and for "train" windows float16 (n, windows, features) of random
               windows of them, if the config asks for some
    logs/method.txt  the digest of all that decides a vector, but for the image
    """

    VECTORS: ClassVar[str] = "vectors"
    REMARKS: ClassVar[tuple[str, ...]] = ("computed_images",)

    backbone: str
    weights_digest: str  # SHA-256 of the file of the backbone's weights
    image_size_pixels: int  # height and width of the images that the backbone saw
    image_counts: dict[str, int]  # by split
    computed_images: int = 0  # the others' vectors were taken from earlier embeddings

    def files(self, split: str) -> list[Path]:
        """Returns the files of a split, in its order."""
        return sorted((self.folder / self.VECTORS).glob(f"{split}-*.npz"))

    def summary(self) -> dict[str, Any]:
        """Returns the backbone, the size of the images for it, their number, and how many were computed anew."""
        return {
            "backbone": self.backbone,
            "image_size_pixels": self.image_size_pixels,
            "images": sum(self.image_counts.values()),
            "computed": self.computed_images,
        }
