"""Writes figures as people read them on a page."""

from __future__ import annotations

NO_BREAK = "\N{NARROW NO-BREAK SPACE}"
DASH = "\N{EN DASH}"  # shown if there is no value


def percent(fraction: float | None, decimals: int = 1) -> str:
    """Returns a fraction in percent, `80.1 %`, or a dash for None."""
    return DASH if fraction is None else f"{fraction * 100:.{decimals}f}{NO_BREAK}%"


def milliseconds(value: float | None) -> str:
    """Returns a time as `3.14 ms` or `1,250 ms`, to three digits and whole from 100 on; a dash for None."""
    if value is None:
        return DASH
    return f"{value:.3g}{NO_BREAK}ms" if value < 99.95 else f"{value:,.0f}{NO_BREAK}ms"


def size(count: int) -> str:
    """Returns a number of bytes as `412 kB`, in powers of 1,000."""
    if count < 1000:
        return f"{count}{NO_BREAK}bytes"
    value = count / 1000
    for unit in ("kB", "MB"):
        if value < 999.5:
            return f"{value:.3g}{NO_BREAK}{unit}"
        value /= 1000
    return f"{value:.3g}{NO_BREAK}GB"
