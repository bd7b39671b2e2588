from __future__ import annotations

from pathlib import Path

import pytest

from components.artifacts import Check, CrossValidated, Model
from components.evaluate.few_images import FEW_TRAINING_IMAGES, AllImages, advice, all_images
from components.evaluate.gate import Findings, judge
from components.evaluate.thresholds import Limit
from components.intervals import FEW_TEST_IMAGES, wilson

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
    findings = Findings(figures, {}, "nothing is published", False, all_images=every, advice=advice(judged))
    found, *_ = judge(limits or [LIMIT], findings)
    return found


def test_a_small_test_split_is_judged_with_all_other_images() -> None:
    found = check((250, 292), right=14, images=20)
    assert (found.passed, found.cross_validated, found.value) == (True, True, 264 / 312)
    assert found.interval == tuple(wilson(264 / 312, 312))
    assert found.reason == (
        "accuracy is 0.8462, cross-validated over 312 images (the test split has only 20, of which the model gets 14 "
        "right), at least 0.75 as asked."
    )


def test_luck_on_a_few_test_images_does_not_pass() -> None:
    found = check((16, 36), right=4, images=4)
    assert (found.passed, found.cross_validated, found.value) == (False, True, 0.5)
    assert found.reason == (
        "accuracy is 0.5, cross-validated over 40 images (the test split has only 4, of which the model gets 4 right): "
        "it must be at least 0.75. More photos help most: 24 are trained on, and the report shows which classes are "
        "taken for each other. Or set evaluate.thresholds.accuracy.min to what is enough for you."
    )


def test_test_images_that_alone_show_too_little_are_not_outvoted() -> None:
    found = check((290, 292), right=4, images=20)
    assert (found.passed, found.cross_validated, found.value) == (False, False, 0.2)
    assert found.reason == (
        "accuracy is 0.2: it must be at least 0.75. Cross-validated over 312 images it is 0.9423, and chance "
        "hardly explains that only 4 of the 20 test images are right: look whether their labels are right, and whether "
        "they are the same kind of photos as the others."
    )


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
        "With few images to train on, here 240, a head on a pretrained network mostly gets more right: set "
        'train.recipe to "transfer".'
    )
    assert "More photos help most" in advice(model(None, recipe="finetune"))
    assert advice(model(None, trained_images=FEW_TRAINING_IMAGES)) == ""
