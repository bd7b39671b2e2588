"""The caption of a photo."""

from __future__ import annotations

from components.nouns import with_article


def caption(member: str, class_name: str | None) -> str:
    """Returns `Ada uploaded a photo of a frog`, or `Ada uploaded a photo` if there is no class to name."""
    plain = f"{member} uploaded a photo"
    return plain if class_name is None else f"{plain} of {with_article(class_name)}"
