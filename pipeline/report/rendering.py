"""Renders a page as one HTML file that loads nothing from the network."""

from __future__ import annotations

import base64
import datetime
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.figures import NO_BREAK, milliseconds, percent, size
from pipeline.report import Clock
from pipeline.text import format_value

TEMPLATES = Path(__file__).parent / "templates"
MINUS = "\N{MINUS SIGN}"


def render(template: str, page: Any, clock: Clock, runs: str = "../") -> str:
    """Returns the page as HTML. All values from data are escaped. `runs` is the prefix of links to other runs."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    return environment.get_template(template).render(
        page=page,
        runs=runs,
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        written=clock(),
    )


def figure(value: Any) -> str:
    """Returns a value as text: `4,800`, `0.7912`. A float of 1,000 or more that is whole has no decimals."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) >= 1000
    return format_value(int(value) if whole else value)


def points(difference: float) -> str:
    """Returns a difference of two fractions in percentage points: `+1.2 points`."""
    return f"{_signed(difference * 100, '.1f')}{NO_BREAK}points"


def bare_points(difference: float) -> str:
    """Returns a difference of two fractions in percentage points, without the unit: `+1.2`."""
    return _signed(difference * 100, ".1f")


def signed(value: float) -> str:
    """Returns a number with its sign, `+0.0123`, and a real minus sign."""
    return _signed(value, ".4f")


def _signed(value: float, format_: str) -> str:
    text = f"{value:+{format_}}".replace("-", MINUS)
    return text if text.strip(f"+{MINUS}0.") else text[1:]


def duration(seconds: float) -> str:
    """Returns a duration as `4.2 s`, `2 min 58 s` or `3 h 07 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f}{NO_BREAK}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{NO_BREAK}min {rest}{NO_BREAK}s"
    return f"{minutes // 60}{NO_BREAK}h {minutes % 60:02}{NO_BREAK}min"


def moment(text: str | datetime.datetime) -> str:
    """Returns a time, given as ISO 8601 text or a datetime in UTC, as `23 November 2026, 02:45 UTC`."""
    when = text if isinstance(text, datetime.datetime) else datetime.datetime.fromisoformat(text)
    return f"{when.day} {when:%B %Y, %H:%M} UTC"


def words(name: str) -> str:
    """Returns a name with spaces: `cross entropy` for `cross_entropy`."""
    return LABELS.get(name, name.replace("_", " "))


def short(metric: str) -> str:
    """Returns a metric's name for a column head: `calibration error` for `expected_calibration_error`."""
    return SHORT.get(metric, words(metric))


LABELS = {
    "not_finite_count": "images whose probabilities are not numbers",
    "test_images_seen": "test images seen in training",
}
SHORT = {"auc": "AUC", "expected_calibration_error": "calibration error"}
FILTERS = {
    "bare_points": bare_points,
    "duration": duration,
    "figure": figure,
    "milliseconds": milliseconds,
    "moment": moment,
    "percent": percent,
    "points": points,
    "short": short,
    "signed": signed,
    "size": size,
    "words": words,
}
