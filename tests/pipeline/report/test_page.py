from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from components.artifacts import Check, CrossValidated, Examples
from pipeline.report import write_report
from tests.pipeline.report.roots import Root, noon, probabilities_for


@pytest.mark.parametrize("hard_epochs", [(), (3, 4, 6)])
def test_a_page_says_which_epochs_left_easy_images_out(
    tiny: Examples, tmp_path: Path, hard_epochs: tuple[int, ...]
) -> None:
    root = Root(tmp_path, tiny)
    root.hard_epochs = hard_epochs
    root.run("one", to="train", state="completed")

    text = write_report(tmp_path, "one", noon).read_text()

    assert ("Easy images were left out of epochs 3, 4, 6:" in text) == bool(hard_epochs)


@pytest.mark.parametrize("reason", ["", "240 training images are too few"])
def test_a_page_says_why_the_images_chose_the_recipe(tiny: Examples, tmp_path: Path, reason: str) -> None:
    root = Root(tmp_path, tiny)
    root.recipe_reason = reason
    root.run("one", to="train", state="completed")

    text = write_report(tmp_path, "one", noon).read_text()

    assert ("Chosen because 240 training images are too few." in text) == bool(reason)


@pytest.mark.parametrize("count", [1, 20])
def test_a_page_says_how_little_a_few_test_images_tell(tiny: Examples, tmp_path: Path, count: int) -> None:
    labels = np.arange(count) % 3
    every = CrossValidated(right_images=270, images=300) if count == 20 else None
    Root(tmp_path, tiny).run("one", labels, probabilities_for(labels, 3, 1.0), cross_validated=every)

    text = write_report(tmp_path, "one", noon).read_text()

    assert ("That is one image: it tells next to nothing." in text) == (count == 1)
    assert ("On 20 images, one more right answer changes the accuracy by 5 points." in text) == (count == 20)
    assert ("of 300 images are classified rightly, cross-validated;" in text) == (count == 20)


def test_a_check_without_a_figure_is_shown_as_not_judged(tiny: Examples, tmp_path: Path) -> None:
    labels = np.arange(48) % 3
    change = Check(
        metric="accuracy", slice="overall", of="change", value=math.nan, bound=">= 0", passed=True, reason="No version."
    )
    Root(tmp_path, tiny).run("one", labels, probabilities_for(labels, 3, 1.0), checks=(change,))

    assert ">not judged</td>" in write_report(tmp_path, "one", noon).read_text()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_page_says_in_words_what_the_arithmetic_of_the_training_was(
    tiny: Examples, tmp_path: Path, precision: Literal["float32", "bfloat16"]
) -> None:
    root = Root(tmp_path, tiny)
    root.precision = precision
    root.run("one", to="train", state="completed")

    text = write_report(tmp_path, "one", noon).read_text()

    assert f"Trained in <b>{precision}</b>" in text
    assert ("rounded to 8 significant bits" in text) == (precision == "bfloat16")
