"""What several packages of tests use: a root with two runs, and the requests to a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from components import s3_requests
from tests.pipeline.report.conftest import two_runs
from tests.s3_server import S3

__all__ = ["two_runs"]


@pytest.fixture
def requests(s3: S3) -> Iterator[dict[str, None]]:
    """The requests that this process sends: method and URL; one that is repeated counts once."""
    sent: dict[str, None] = {}
    events = s3_requests._client().meta.events

    def note(request: Any, **_: Any) -> None:
        sent[f"{request.method} {request.url}"] = None

    events.register("before-send.s3", note)
    yield sent
    events.unregister("before-send.s3", note)
