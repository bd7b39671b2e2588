from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components.artifacts import Examples
from components.recipe_choice import choose_recipe
from components.train.recipe import READERS
from components.train.recipes import GIVEN_WITH_AUTO, RECIPES


def examples(images: int, classes: int) -> Examples:
    """The document alone: no choice looks further."""
    return Examples(
        folder=Path("nowhere"),
        dataset="photos",
        content="",
        splits={"train": "train", "test": "test"},
        example_counts={"train": images, "test": 1},
        class_names=tuple(f"class {number}" for number in range(classes)),
        image_shape=(None, None, 3),
    )


@pytest.mark.parametrize(
    ("images", "classes", "recipe", "reason"),
    [
        (599, 10, "transfer", "599 training images are too few to train all layers (600 would do)"),
        (600, 10, "finetune", "600 training images are enough to train all layers (600 would do)"),
        (600, 20, "finetune", "600 training images are enough"),
        (2999, 100, "transfer", "2,999 training images of 100 classes are too few to train all layers (30 of each"),
        (3000, 100, "finetune", "3,000 training images are enough"),
        (200_000, 1000, "finetune", "200,000 training images are enough"),
        (200_001, 1000, "transfer", "200,001 training images (name finetune if you have the hours, or a GPU)"),
    ],
)
def test_the_number_of_images_decides(images: int, classes: int, recipe: str, reason: str) -> None:
    choice = choose_recipe(examples(images, classes))
    assert choice.recipe == recipe
    assert reason in choice.reason
    assert choice.image_size_pixels == RECIPES[recipe].image_size_pixels
    assert str(choice) == f"recipe {recipe}: {choice.reason}"


def test_what_may_be_given_beside_auto_is_read_by_both_recipes() -> None:
    for key in GIVEN_WITH_AUTO:
        reader, choices = READERS.get(key, ("network", ("efficientnet_lite",)))
        values = [(getattr(RECIPES[name], reader), getattr(RECIPES[name], key)) for name in ("transfer", "finetune")]
        assert all(value in choices for value, _ in values)
        assert key == "image_size_pixels" or values[0] == values[1]


def test_it_imports_nothing_heavy() -> None:
    heavy = "{'tensorflow', 'numpy', 'apache_beam', 'keras'}"
    program = f"import sys, components.recipe_choice; print({heavy} & set(sys.modules))"
    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert imported.strip() == "set()"
