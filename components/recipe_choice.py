"""Chooses a recipe for images of which nobody has named one. Embed and train must choose the same."""

from __future__ import annotations

from typing import Literal, NamedTuple

from components.artifacts import Examples

AUTO = "auto"  # the value of `train.recipe` that leaves the choice to the images
IMAGE_SIZE_PIXELS = {"transfer": 224, "finetune": 160}

# Measured on two cores (213 GFLOP/s float32), accuracy with transfer and with finetune: of 10 classes with 10 photos
# each 73.6 and 45.7 %, with 30 each 80.5 and 79.4 %, with 100 each 82.9 and 88.6 %.
ENOUGH_IMAGES = 600
# With fewer of each of many classes nothing was measured: they get the recipe that takes seconds.
ENOUGH_OF_A_CLASS = 30
# Beyond it the four passes of finetune take hours: it trains on some 110 images a second there.
MANY_IMAGES = 200_000


class RecipeChoice(NamedTuple):
    """A recipe, the size of the images for it, and why it was chosen, as a phrase."""

    recipe: Literal["transfer", "finetune"]
    image_size_pixels: int
    reason: str

    def __str__(self) -> str:
        return f"recipe {self.recipe}: {self.reason}"


def choose_recipe(examples: Examples) -> RecipeChoice:
    """Returns the recipe for these images, by their number alone and so the same on every machine.

    Their size does not count: images of 32 pixels, enlarged, gain as much from a pretrained network as photos do.
    """
    images, classes = examples.example_counts["train"], len(examples.class_names)
    if images < ENOUGH_IMAGES:
        return _choice(
            "transfer", f"{images:,} training images are too few to train all layers ({ENOUGH_IMAGES} would do)"
        )
    if images < ENOUGH_OF_A_CLASS * classes:
        return _choice(
            "transfer",
            f"{images:,} training images of {classes:,} classes are too few to train all layers "
            f"({ENOUGH_OF_A_CLASS} of each would do)",
        )
    if images > MANY_IMAGES:
        return _choice(
            "transfer",
            f"all layers would take an hour on two cores for each 100,000 of {images:,} training images (name finetune "
            "if you have the hours, or a GPU)",
        )
    return _choice("finetune", f"{images:,} training images are enough to train all layers ({ENOUGH_IMAGES} would do)")


def _choice(recipe: Literal["transfer", "finetune"], reason: str) -> RecipeChoice:
    return RecipeChoice(recipe, IMAGE_SIZE_PIXELS[recipe], reason)
