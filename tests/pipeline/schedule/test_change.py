from __future__ import annotations

from pipeline.schedule.change import ChangeWatch


def test_a_change_counts_once_it_has_been_left_alone() -> None:
    seen: list[str | None] = ["old"]
    watch = ChangeWatch(lambda: seen[0], still_seconds=10)
    assert not watch.settled(-20)
    assert watch.settled(-10)
    watch.handled()
    assert not watch.settled(0)
    seen[0] = "half copied"
    assert not watch.settled(5)
    seen[0] = "copied"
    assert not watch.settled(12)
    assert not watch.settled(21)
    assert watch.settled(22)
    assert watch.settled(30)  # whoever could not do anything about it is told again
    watch.handled()
    assert not watch.settled(40)


def test_a_source_that_is_gone_is_no_reason_to_run() -> None:
    seen: list[str | None] = ["old"]
    watch = ChangeWatch(lambda: seen[0], still_seconds=10)
    watch.settled(-10)
    assert watch.settled(0)
    watch.handled()
    seen[0] = None
    assert not any(watch.settled(now) for now in range(0, 100, 5))
    seen[0] = "old"
    assert not any(watch.settled(now) for now in range(100, 200, 5))


def test_a_source_that_is_still_to_be_downloaded_is_a_reason_to_begin() -> None:
    seen: list[str | None] = [None]
    watch = ChangeWatch(lambda: seen[0], still_seconds=10)
    assert not watch.settled(100)
    assert watch.settled(110)
    assert watch.settled(120)  # the download failed
    watch.handled()
    assert not watch.settled(130)
    seen[0] = "downloaded"
    assert not watch.settled(140)
    assert watch.settled(150)
