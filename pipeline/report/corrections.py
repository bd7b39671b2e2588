"""Says in words how many corrections of people ingest applied."""

from __future__ import annotations

from collections.abc import Mapping

_WORDS = {
    "label": ("photo with another label", "photos with other labels"),
    "leave_out": ("left out", "left out"),
    "add": ("photo added to those to train on", "photos added to those to train on"),
    "keep": ("kept as it is", "kept as they are"),
    "same": ("pair that stays in one split", "pairs that stay in one split"),
    "not_same": ("pair that is not the same", "pairs that are not the same"),
    "passed_over": ("line passed over", "lines passed over"),
}


def correction_words(corrections: Mapping[str, int]) -> str:
    """Returns the numbers of `Examples.corrections` as a few words; empty if there are none."""
    found = [(corrections[name], *words) for name, words in _WORDS.items() if corrections.get(name)]
    return ", ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in found)
