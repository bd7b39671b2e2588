from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.predict.caption import AN, article, caption

IOS = Path(__file__).parents[3] / "docs" / "tutorial" / "iphone-app.md"


def test_names_the_class_or_does_not() -> None:
    assert caption("Ada", "frog") == "Ada uploaded a photo of a frog"
    assert caption("Ada", "airplane") == "Ada uploaded a photo of an airplane"
    assert caption("Ada", "fire_truck") == "Ada uploaded a photo of a fire truck"
    assert caption("…", None) == "… uploaded a photo"


@pytest.mark.parametrize(
    "noun", ["airplane", "Elephant", "ice cream", "onion", "umbrella", "uncle", "hour", "heirloom"]
)
def test_an_before_a_vowel(noun: str) -> None:
    assert article(noun) == "an"


@pytest.mark.parametrize(
    "noun", ["bird", "unicycle", "uniform", "European hare", "ewe", "one-piece", "ukulele", "house"]
)
def test_a_before_what_sounds_like_a_consonant(noun: str) -> None:
    assert article(noun) == "a"


def test_the_app_says_the_same() -> None:
    assert AN in IOS.read_text()
