"""The sentence under a photo."""

from __future__ import annotations

import re

# How a word sounds, as far as its letters tell: "an hour", "a unicycle", "a European hare". docs/ios.md has the same.
AN = r"hour|heir|honest|honou?r|(?!eu|ewe|one\b|once|uku|us[aeu]|uni(?![mn])|ut[ei]|ura)[aeiou]"


def caption(member: str, class_name: str | None) -> str:
    """`Ada uploaded a photo of a frog`; `Ada uploaded a photo` where there is no class to name."""
    plain = f"{member} uploaded a photo"
    if class_name is None:
        return plain
    noun = class_name.replace("_", " ")
    return f"{plain} of {article(noun)} {noun}"


def article(noun: str) -> str:
    """`an` before what sounds like a vowel, else `a`."""
    return "an" if re.match(AN, noun, re.IGNORECASE) else "a"
