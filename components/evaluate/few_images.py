"""Judges the accuracy by more images than a small test split has, and says what to do if few images did not suffice."""

from __future__ import annotations

from typing import NamedTuple

from components.artifacts import CrossValidated, Model
from components.intervals import FEW_TEST_IMAGES, Interval, wilson

FEW_TRAINING_IMAGES = 2000
PRETRAINED_RECIPES = ("transfer", "finetune", "finetune_keras")


class AllImages(NamedTuple):
    """The images of a small test split, and those by which heads were cross-validated beside it."""

    pooled: CrossValidated
    right_test_images: int
    test_images: int

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the accuracy over all images."""
        return wilson(self.pooled.accuracy, self.pooled.images)

    @property
    def test_interval(self) -> Interval:
        """The 95 % interval of the accuracy that the test split alone gives."""
        return wilson(self.right_test_images / self.test_images, self.test_images)

    def doubt(self, bound: float) -> str:
        """Returns what to do if chance hardly explains that the test images are below the bound and all are not."""
        if self.pooled.accuracy < bound:
            return ""
        return (
            f"Cross-validated over {self.pooled.images} images it is {self.pooled.accuracy:.4g}, and chance hardly "
            f"explains that only {self.right_test_images} of the {self.test_images} test images are right: look "
            "whether their labels are right, and whether they are the same kind of photos as the others."
        )

    def __str__(self) -> str:
        return (
            f"cross-validated over {self.pooled.images} images (the test split has only {self.test_images}, of which "
            f"the model gets {self.right_test_images} right)"
        )


def all_images(model: Model, accuracy: float, test_images: int) -> AllImages | None:
    """Returns the images to judge by; None if the test split has enough of them, or the model knows of no others.

    Args:
        model: the model, which may hold the figure of its head's cross-validation.
        accuracy: of the model on the test split, 0-1.
        test_images: number of images in the test split, more than 0.
    """
    other = model.cross_validated
    if other is None or test_images >= FEW_TEST_IMAGES:
        return None
    right = round(accuracy * test_images)
    pooled = CrossValidated(right_images=other.right_images + right, images=other.images + test_images)
    return AllImages(pooled, right, test_images)


def advice(model: Model) -> str:
    """Returns what to do if the accuracy is too low and the model saw few images, as sentences; else nothing."""
    if model.trained_images >= FEW_TRAINING_IMAGES:
        return ""
    if model.recipe not in PRETRAINED_RECIPES:
        return (
            f"With few images to train on, here {model.trained_images}, a pretrained network mostly gets more right: "
            'set train.recipe to "auto".'
        )
    return (
        f"More photos help most: {model.trained_images} are trained on, and the report shows which classes are taken "
        "for each other. Or set evaluate.thresholds.accuracy.min to what is enough for you."
    )
