"""Says which findings people have answered in a review, as the file of their decisions says now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from components.artifacts import Examples
from components.component import ComponentError
from components.corrections_place import make_place
from components.findings import Finding
from pipeline.review.decisions import Decisions
from pipeline.review.opening import make_item


def answered_in(examples: Examples) -> Callable[[Finding], bool]:
    """Returns a function that says of a finding whether nothing is left to decide about it.

    It says no of all if there are no decisions, or they cannot be read: the report then shows everything.
    """
    if not (examples.corrections_file and examples.source):
        return lambda finding: False
    source = Path(examples.source)
    decisions = Decisions(make_place(examples.corrections_file), source if source.is_dir() else source.parent)
    try:
        decisions.refresh()
    except (ComponentError, OSError):
        return lambda finding: False

    def is_answered(finding: Finding) -> bool:
        item = make_item(finding, examples.class_names)
        return item is not None and decisions.is_decided(item)

    return is_answered
