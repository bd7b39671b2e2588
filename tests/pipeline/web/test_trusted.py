from __future__ import annotations

import pytest

from pipeline.web.trusted import parse_origin


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://chat.example:443/", "https://chat.example"),
        ("HTTP://Chat.Example:80", "http://chat.example"),
        ("http://chat.example:8443", "http://chat.example:8443"),
        ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
    ],
)
def test_an_origin_is_written_as_browsers_do(given: str, origin: str) -> None:
    assert parse_origin(given) == origin
