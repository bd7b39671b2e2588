"""The caption of a photo."""

from __future__ import annotations

import re

# Matches words that begin with a vowel sound: "an hour", but "a unicycle", "a European hare".
# docs/tutorial/iphone-app.md has the same.
AN = r"hour|heir|honest|honou?r|(?!eu|ewe|one\b|once|uku|us[aeu]|uni(?![mn])|ut[ei]|ura)[aeiou]"


def caption(member: str, class_name: str | None) -> str:
    """Returns `Ada uploaded a photo of a frog`, or `Ada uploaded a photo` if there is no class to name."""
    plain = f"{member} uploaded a photo"
    if class_name is None:
        return plain
    noun = class_name.replace("_", " ")
    return f"{plain} of {article(noun)} {noun}"


def article(noun: str) -> str:
    """Returns the article of a noun: `an` before a vowel sound, else `a`."""
    return "an" if re.match(AN, noun, re.IGNORECASE) else "a"
