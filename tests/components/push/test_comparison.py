"""The bounds, on probabilities made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.component import ComponentError
from components.push import PushConfig
from components.push.comparison import (
    compare,
    require_accuracy,
    require_consistent,
    require_names,
    require_probabilities,
    require_same,
)
from components.push.evaluated_images import EvaluatedImages
from components.push.fresh_process import Reloaded

# 1,000 images of class 0; the model is sure, and wrong about the last 200.
EXPECTED = np.tile(np.float32([0.9, 0.1]), (1000, 1))
EXPECTED[800:] = [0.4, 0.6]
MARGIN = PushConfig().max_probability_difference
EVALUATED = EvaluatedImages(Path("unused"), np.zeros(1000, np.int64), EXPECTED)


def test_comparison_counts_images() -> None:
    probabilities = EXPECTED.copy()
    probabilities[:5] = [0.2, 0.8]
    comparison = compare(probabilities, EVALUATED, MARGIN)
    assert comparison.accuracy == pytest.approx(0.795)
    assert comparison.accuracy_difference == pytest.approx(-0.005)
    assert comparison.agreement == pytest.approx(0.995)
    assert comparison.max_probability_difference == pytest.approx(0.7)


@pytest.mark.parametrize(("flipped", "passes"), [(1, True), (2, False)])
def test_one_image_in_a_thousand_may_differ(flipped: int, passes: bool) -> None:
    probabilities = EXPECTED.copy()
    probabilities[:flipped] = [0.2, 0.8]
    config = PushConfig(max_probability_difference=1.0)
    if passes:
        require_same("file", compare(probabilities, EVALUATED, MARGIN), config)
    else:
        with pytest.raises(ComponentError, match=r"for 2 of 1000 images that it was sure of; at most 1 may differ"):
            require_same("file", compare(probabilities, EVALUATED, MARGIN), config)


@pytest.mark.parametrize("min_agreement", [0.999, 1.0])
def test_a_tie_that_rounding_decides_is_no_disagreement(min_agreement: float) -> None:
    probabilities, labels = np.float32([[0.6, 0.4], [0.501, 0.499]]), np.zeros(2, np.int64)
    evaluated = EvaluatedImages(Path("unused"), labels, np.float32([[0.6, 0.4], [0.499, 0.501]]))
    comparison = compare(probabilities, evaluated, MARGIN)
    assert (comparison.agreement, comparison.undecided) == (0.5, 1)
    require_same("file", comparison, PushConfig(min_agreement=min_agreement))


def test_one_sure_image_among_few_may_not_differ() -> None:
    probabilities, labels = np.float32([[0.6, 0.4], [0.52, 0.48]]), np.zeros(2, np.int64)
    evaluated = EvaluatedImages(Path("unused"), labels, np.float32([[0.6, 0.4], [0.48, 0.52]]))
    with pytest.raises(ComponentError, match="for 1 of 2 images that it was sure of; at most 0 may differ"):
        require_same("file", compare(probabilities, evaluated, MARGIN), PushConfig())


def test_probability_that_moves_far_is_refused() -> None:
    probabilities = EXPECTED.copy()
    probabilities[3] = [0.87, 0.13]
    with pytest.raises(
        ComponentError, match=r"file differs .* by up to 0.03 in a probability; at most 0.02 is allowed"
    ):
        require_same("file", compare(probabilities, EVALUATED, MARGIN), PushConfig())


@pytest.mark.parametrize(
    ("images", "difference", "weights", "passes"),
    [
        (20, 0.04, "float16", True),
        (21, 0.04, "float16", False),  # more than one image in fifty: no rounding does that
        (1, 0.06, "float16", False),
        (1, 0.04, "float32", False),
    ],
)
def test_rounding_to_float16_may_move_a_few_images_further(
    images: int, difference: float, weights: str, passes: bool
) -> None:
    probabilities = EXPECTED.copy()
    probabilities[:images] += np.float32([-difference, difference])
    comparison = compare(probabilities, EVALUATED, MARGIN)
    assert comparison.far_images == images
    if passes:
        require_same("file", comparison, PushConfig(), weights)
    else:
        with pytest.raises(ComponentError, match="file differs from the evaluated model by up to"):
            require_same("file", comparison, PushConfig(), weights)


@pytest.mark.parametrize(("flipped", "passes"), [(3, True), (4, False)])
def test_accuracy_may_fall_by_three_in_a_thousand(flipped: int, passes: bool) -> None:
    probabilities = EXPECTED.copy()
    probabilities[:flipped] = [0.2, 0.8]
    if passes:
        require_accuracy("file", compare(probabilities, EVALUATED, MARGIN), PushConfig())
    else:
        with pytest.raises(ComponentError, match=r"0.7960 on 1000 images, 0.0040 below .*; at most 0.003 is"):
            require_accuracy("file", compare(probabilities, EVALUATED, MARGIN), PushConfig())


@pytest.mark.parametrize(("named", "passes"), [(1, True), (2, False)])
def test_accuracy_is_not_lost_where_the_model_itself_hardly_chose_between_two_classes(named: int, passes: bool) -> None:
    """A file that names a third class there has lost it."""
    expected = np.tile(np.float32([0.45, 0.44, 0.11]), (10, 1))
    evaluated = EvaluatedImages(Path("unused"), np.zeros(10, np.int64), expected)
    comparison = compare(np.roll(expected, named, axis=1) if named == 2 else expected[:, [1, 0, 2]], evaluated, MARGIN)
    assert comparison.accuracy_difference == -1
    assert comparison.decided_accuracy_difference == (0 if passes else -1)
    if passes:
        require_accuracy("file", comparison, PushConfig())
    else:
        with pytest.raises(ComponentError, match=r"at most 0\.003 is allowed"):
            require_accuracy("file", comparison, PushConfig())


def test_higher_accuracy_is_fine() -> None:
    comparison = compare(np.tile(np.float32([1, 0]), (1000, 1)), EVALUATED, MARGIN)
    require_accuracy("file", comparison, PushConfig())
    assert comparison.accuracy_difference > 0.003


def test_numbers_that_are_none_are_refused() -> None:
    probabilities = EXPECTED.copy()
    probabilities[7] = np.nan
    with pytest.raises(ComponentError, match=r"no numbers for 1 of 1000 images.*float32"):
        require_probabilities("file", probabilities, EVALUATED)
    with pytest.raises(ComponentError, match=r"shape \(999, 2\); \(1000, 2\) were evaluated"):
        require_probabilities("file", EXPECTED[:999], EVALUATED)


def test_class_that_is_not_the_most_probable_is_refused() -> None:
    class_id = EXPECTED.argmax(1)
    class_name = np.array([b"frog", b"dog"])[class_id]
    outputs = Reloaded(probabilities=EXPECTED, class_id=class_id, class_name=class_name)
    require_consistent("file", outputs, ("frog", "dog"))
    for name, wrong in (("class_id", 1 - class_id), ("class_name", class_name[::-1])):
        with pytest.raises(ComponentError, match=f"file: {name} is not that of the most probable class"):
            require_consistent("file", outputs.model_copy(update={name: wrong}), ("frog", "dog"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("cat", ""), "Class 1 of 2 has an empty name"),
        (("cat", " "), "Class 1 of 2 has an empty name"),
        (("cat", "dog", "cat"), "Several classes are called 'cat'"),
        (("cat", "big\ndog"), r"class 'big\\ndog' has a line break or another control character in its name"),
        (("cat", "a\x85b"), r"class 'a\\x85b' has a line break"),
        (("cat", "a\u2028b"), r"class 'a\\u2028b' has a line break"),
        (("cat", "a\udc80b"), r"class 'a\\udc80b' has a line break"),
        (("cat",), "has 1 class; a classifier needs at least two"),
    ],
)
def test_names_that_tell_no_classes_apart_are_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ComponentError, match=message):
        require_names(names, names)


def test_names_in_any_script_are_fine() -> None:
    names = ("Kätzchen", "猫", "नमस्ते", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}", "a\u00a0b")
    require_names(names, names)


def test_other_classes_than_the_evaluated_ones_are_refused() -> None:
    with pytest.raises(ComponentError, match=r"The model's classes are .*dog.*, the evaluated ones .*frog"):
        require_names(("cat", "dog"), ("cat", "frog"))
