from __future__ import annotations

import io
from collections.abc import AsyncIterator

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from pipeline.web import requests
from pipeline.web.requests import RefusedError, read_bounded


async def stalled() -> AsyncIterator[bytes]:
    yield b"the first byte"
    await anyio.sleep_forever()


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_a_body_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.05)
    with start_blocking_portal() as portal, pytest.raises(RefusedError, match="Nothing whole arrived") as refused:
        portal.call(read_bounded, stalled(), None, 100, io.BytesIO())
    assert refused.value.status == 408


@pytest.mark.parametrize("declared", [None, 4, 6])
def test_a_body_is_bounded_whatever_it_declares(declared: int | None) -> None:
    with start_blocking_portal() as portal, pytest.raises(RefusedError, match="larger than 5e-06 MB") as refused:
        portal.call(read_bounded, chunks(b"123", b"456"), declared, 5, io.BytesIO())
    assert refused.value.status == 413


def test_a_whole_body_is_read_from_its_beginning() -> None:
    file = io.BytesIO()
    with start_blocking_portal() as portal:
        portal.call(read_bounded, chunks(b"123", b"456"), 6, 6, file)
    assert file.read() == b"123456"
