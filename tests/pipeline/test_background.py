from __future__ import annotations

import threading

import pytest

from pipeline.background import in_background


def test_the_work_is_told_of_the_end_and_awaited() -> None:
    seen: list[str] = []

    def work(ended: threading.Event) -> None:
        seen.append(threading.current_thread().name)
        ended.wait()
        seen.append("ended")

    with in_background(work, "worker"):
        assert "ended" not in seen
    assert seen == ["worker", "ended"]


def test_an_error_in_the_block_ends_the_work_and_is_raised() -> None:
    seen: list[bool] = []
    with (
        pytest.raises(ValueError, match="in the block"),
        in_background(lambda ended: seen.append(ended.wait()), "worker"),
    ):
        raise ValueError("in the block")
    assert seen == [True]
