from __future__ import annotations

import pytest

from components.nouns import article, with_article


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


def test_underscores_are_spaces() -> None:
    assert with_article("ice_cream") == "an ice cream"
