"""Writes the name of a class as a caption names it: `an airplane`."""

from __future__ import annotations

import re

# Matches words that begin with a vowel sound: "an hour", but "a unicycle", "a European hare".
AN = re.compile(
    r"hour|heir|honest|honou?r|(?!eu|ewe|one\b|once|uku|us[aeu]|uni(?![mn])|ut[ei]|ura)[aeiou]", re.IGNORECASE
)


def article(noun: str) -> str:
    """Returns the article of a noun: `an` before a vowel sound, else `a`."""
    return "an" if AN.match(noun) else "a"


def with_article(class_name: str) -> str:
    """Returns the name of a class as a noun with its article: `a fire truck` for `fire_truck`."""
    noun = class_name.replace("_", " ")
    return f"{article(noun)} {noun}"
