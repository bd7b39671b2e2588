from __future__ import annotations

import pytest

from components.figures import milliseconds, percent, size
from pipeline.report.rendering import duration, figure, moment, points
from tests.pipeline.report.roots import noon


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (percent(0.8014), "80.1 %"),
        (percent(None), "\N{EN DASH}"),
        (points(-0.0123), "\N{MINUS SIGN}1.2 points"),
        (points(0.0123), "+1.2 points"),
        (points(-0.0001), "0.0 points"),
        (duration(4.24), "4.2 s"),
        (duration(178.2), "2 min 58 s"),
        (duration(59.99), "1 min 0 s"),
        (duration(3 * 3600 + 7 * 60), "3 h 07 min"),
        (size(0), "0 bytes"),
        (size(431_204), "431 kB"),
        (size(999_999), "1 MB"),
        (moment(noon()), "23 November 2026, 12:00 UTC"),
        (moment("2026-01-02T03:04:05.678+00:00"), "2 January 2026, 03:04 UTC"),
        (figure(10_000.0), "10,000"),
        (figure(0.79123), "0.7912"),
        (figure(True), "True"),
    ],
)
def test_values_read_as_people_write_them(shown: str, expected: str) -> None:
    assert shown.replace("\N{NARROW NO-BREAK SPACE}", " ") == expected


def test_milliseconds_have_three_digits_and_none_behind_the_point_of_long_ones() -> None:
    shown = [milliseconds(value) for value in (0.4263, 3.14159, 99.94, 99.96, 1250.4, 5_285_577.0)]
    assert [text.partition("\N{NARROW NO-BREAK SPACE}")[0] for text in shown] == [
        "0.426", "3.14", "99.9", "100", "1,250", "5,285,577",
    ]  # fmt: skip
    assert milliseconds(None) == "\N{EN DASH}"
