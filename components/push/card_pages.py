"""Writes the model card for people: one page as Markdown and one as HTML, of the same facts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.figures import DASH, NO_BREAK, milliseconds, percent, size
from components.intervals import Interval
from components.push.card_facts import NAMES_SHOWN, ROWS_SHOWN, CardFacts
from components.push.measurement import Latency
from components.push.mistakes import write_pictures
from components.registry.layout import CARD_FOR_PEOPLE

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_TEXT = 80  # characters of a name; descriptions are shown whole
# Also an emoji (:frog:), an address (http://, www., a@b) and, at the beginning of a line, a heading or a list.
_MARKUP = re.compile(r"([\\`*_\[\]|~$@]|:(?=\S)|(?<=www)\.|^[-+=#])", re.IGNORECASE)
_NUMBERED = re.compile(r"^(\d+)([.)])")
_ISOLATE, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
_DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def write_card_pages(facts: CardFacts, version: Path) -> None:
    """Writes both pages and the pictures of the Markdown page into a version's folder. The HTML page loads nothing."""
    write_pictures(facts.mistakes, version)
    for kind in ("md", "html"):
        text = render(facts, kind)
        version.joinpath(f"{CARD_FOR_PEOPLE}.{kind}").write_text(text, encoding="utf-8")


def render(facts: CardFacts, kind: str) -> str:
    """Returns the page as "md" or "html". Texts from data are escaped, and cannot change what stands around them."""
    is_html = kind == "html"
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=is_html,
        finalize=None if is_html else _finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= _FILTERS
    return environment.get_template(f"model_card.{kind}.j2").render(facts=facts, names=NAMES_SHOWN, rows=ROWS_SHOWN)


def plain(text: str) -> str:
    """Returns the text in one line, without characters that set the direction of what follows them."""
    kept = "".join(each for each in text if unicodedata.bidirectional(each) not in _DIRECTIONS)
    return " ".join(kept.split())


def escape_markdown(text: str) -> str:
    """Returns text of data in one line that Markdown shows as it is, within a table as well."""
    shown = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = _NUMBERED.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", shown))
    turns = any(unicodedata.bidirectional(each) in _RIGHT_TO_LEFT for each in shown)
    return f"{_ISOLATE}{shown}{_END}" if turns else shown


def _finalize(value: Any) -> Any:
    """Escapes what a template writes into Markdown, unless a filter made it."""
    return escape_markdown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _name(name: str) -> str:
    """Returns the name of a class or a slice for a page, cut off if it is very long."""
    shown = plain(name)
    return shown if len(shown) <= LONGEST_TEXT else f"{shown[: LONGEST_TEXT - 1]}…"


def _percent(fraction: float | None, decimals: int = 1) -> Markup:
    return Markup(percent(fraction, decimals))


def _range(interval: Interval) -> Markup:
    return Markup(f"{100 * interval.low:.1f} to {percent(interval.high)}")


def _size(count: int | None) -> Markup:
    return Markup(DASH if count is None else size(count))


def _milliseconds(value: float | None) -> Markup:
    return Markup(milliseconds(value))


def _latency(latency: Latency | None) -> Markup:
    """Returns the median and the 95th percentile, `3.14 / 4.5 ms`."""
    if latency is None:
        return Markup(DASH)
    median, _, _ = milliseconds(latency.median_milliseconds).partition(NO_BREAK)
    return Markup(f"{median} / {milliseconds(latency.p95_milliseconds)}")


def _figure(number: float) -> Markup:
    return Markup(f"{number:,}" if isinstance(number, int) else f"{number:.4g}")


# Figures need no escape; names and texts get one where they are written.
_FILTERS: dict[str, Callable[..., str]] = {
    "percent": _percent, "range": _range, "size": _size, "figure": _figure, "name": _name, "text": plain,
    "milliseconds": _milliseconds, "latency": _latency,
}  # fmt: skip
