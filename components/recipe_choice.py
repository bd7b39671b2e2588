"""Chooses a recipe for images of which nobody has named one. Embed and train must choose the same."""

from __future__ import annotations

from typing import Literal, NamedTuple

from components.artifacts import Examples

AUTO = "auto"  # the value of `train.recipe` that leaves the choice to the images
IMAGE_SIZE_PIXELS = {"transfer": 224, "finetune": 160}

# Measured accuracy with transfer and with finetune: of 10 classes with 10 photos each 74.2 and 60.2 %, with 30 each
# 81.4 and 82.5 %, with 100 each 84.9 and 89.2 %.
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


def describe_recipe(named: str, examples: Examples) -> str:
    """Returns which recipe `auto` takes for these images, and why; of finetune, if it is named, that they are too few.

    It is empty if there is nothing to say.
    """
    choice = choose_recipe(examples)
    if named == AUTO:
        return str(choice)
    is_few = choice.recipe == "transfer" and examples.example_counts["train"] <= MANY_IMAGES
    return f"recipe finetune: {choice.reason}; auto would take transfer" if named == "finetune" and is_few else ""


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
