"""Defines CrossValidated, the accuracy of classifiers on images that they were made without."""

from __future__ import annotations

from pydantic import Field

from components.artifacts.artifact import Document


class CrossValidated(Document):
    """How many images were classified rightly by classifiers that were made without them.

    Beside the model, its head was fitted several times, each time without some of the training images, and judged by
    these. Such heads saw fewer images than the model's own, so that it is rather better than they are. Photos that
    nearly repeat each other, such as a burst, make the count too high.
    """

    right_images: int = Field(ge=0)
    images: int = Field(gt=0)

    @property
    def accuracy(self) -> float:
        """The fraction of the images that are right, 0-1."""
        return self.right_images / self.images
