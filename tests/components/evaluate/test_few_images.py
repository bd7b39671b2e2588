from __future__ import annotations

from pathlib import Path

import pytest

from components.artifacts import Check, CrossValidated, Model
from components.evaluate.bounds import Limit
from components.evaluate.few_images import FEW_TRAINING_IMAGES, PRETRAINED_RECIPES, AllImages, advice, all_images
from components.evaluate.gate import Measured, judge
from components.intervals import FEW_TEST_IMAGES, wilson
from components.train.recipes import RECIPES

LIMIT = Limit("accuracy", "overall", "min", 0.75)


def model(right: int | None, images: int = 0, trained_images: int = 24, recipe: str = "transfer") -> Model:
    """A model whose head's like got `right` of `images` right; None: it has no such head."""
    return Model(
        folder=Path("nowhere"),
        class_names=("cat", "dog"),
        image_height=32,
        image_width=32,
        recipe=recipe,
        parameter_count=1,
        epochs=0,
        trained_images=trained_images,
        cross_validated=None if right is None else CrossValidated(right_images=right, images=images),
    )


def check(cross_validated: tuple[int, int], right: int, images: int, *limits: Limit) -> Check:
    """The check of the first limit, by default that of 0.75, with `right` of `images` right in the test split."""
    judged, accuracy = model(*cross_validated), right / images
    figures = {"overall": {"accuracy": accuracy}, "class=cat": {"accuracy": accuracy}}
    every = all_images(judged, accuracy, images)
    findings = Measured(figures, {}, "nothing is published", False, all_images=every, advice=advice(judged))
    found, *_ = judge(limits or [LIMIT], findings)
    return found


@pytest.mark.parametrize(
    ("cross_validated", "right", "images", "passed", "value", "reason"),
    [
        pytest.param(
            (250, 292), 14, 20, True, 264 / 312,
            "accuracy is 0.8462, cross-validated over 312 images (the test split has only 20, of which the model gets "
            "14 right), at least 0.75 as asked.",
            id="a small test split is judged with all other images",
        ),
        pytest.param(
            (16, 36), 4, 4, False, 0.5,
            "accuracy is 0.5, cross-validated over 40 images (the test split has only 4, of which the model gets 4 "
            "right): it must be at least 0.75. More photos help most: 24 are trained on, and the report shows which "
            "classes are taken for each other. Or set evaluate.thresholds.accuracy.min to what is enough for you.",
            id="luck on a few test images does not pass",
        ),
        pytest.param(
            (290, 292), 4, 20, False, 0.2,
            "accuracy is 0.2: it must be at least 0.75. Cross-validated over 312 images it is 0.9423, and chance "
            "hardly explains that only 4 of the 20 test images are right: look whether their labels are right, and "
            "whether they are the same kind of photos as the others.",
            id="test images that alone show too little are not outvoted",
        ),
    ],
)  # fmt: skip
def test_few_test_images_are_judged_with_all_others(
    cross_validated: tuple[int, int], right: int, images: int, passed: bool, value: float, reason: str
) -> None:
    found = check(cross_validated, right, images)
    assert (found.passed, found.value, found.reason) == (passed, value, reason)
    over_all = value != right / images
    assert found.cross_validated is over_all
    assert found.interval == (tuple(wilson(value, images + cross_validated[1])) if over_all else None)


def test_a_model_that_is_bad_everywhere_is_given_advice() -> None:
    assert "More photos help most" in check((20, 292), right=4, images=20).reason


@pytest.mark.parametrize(("images", "cross_validated"), [(FEW_TEST_IMAGES - 1, True), (FEW_TEST_IMAGES, False)])
def test_a_test_split_of_a_hundred_images_is_enough(images: int, cross_validated: bool) -> None:
    assert check((200, 200), right=images - 1, images=images).cross_validated is cross_validated


def test_one_test_image_that_is_wrong_does_not_decide() -> None:
    assert check((9, 9), right=0, images=1).passed


@pytest.mark.parametrize(
    "limit", [Limit("accuracy", "overall", "max", 0.9), Limit("accuracy", "class=cat", "min", 0.1)]
)
def test_other_bounds_are_of_the_test_split(limit: Limit) -> None:
    found = check((200, 200), 14, 20, limit)
    assert (found.cross_validated, found.value) == (False, 0.7)


def test_without_a_cross_validated_figure_the_test_split_decides() -> None:
    assert all_images(model(None), 0.5, 4) is None


def test_all_images_are_counted_once() -> None:
    every = all_images(model(30, 36), 0.75, 4)
    assert every == AllImages(CrossValidated(right_images=33, images=40), 3, 4)
    assert every.test_interval == wilson(0.75, 4)


def test_advice_is_for_few_images_only() -> None:
    assert advice(model(None, trained_images=240, recipe="small_data")) == (
        "With few images to train on, here 240, a pretrained network mostly gets more right: set train.recipe to "
        '"auto".'
    )
    assert "More photos help most" in advice(model(None, recipe="finetune"))
    assert advice(model(None, trained_images=FEW_TRAINING_IMAGES)) == ""


def test_the_recipes_of_pretrained_networks_are_known() -> None:
    pretrained = ("efficientnet_lite", "pretrained")
    assert set(PRETRAINED_RECIPES) == {name for name, recipe in RECIPES.items() if recipe.network in pretrained}
