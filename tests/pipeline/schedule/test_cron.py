from __future__ import annotations

import datetime
import shutil
import subprocess

import pytest

from pipeline.errors import UsageError
from pipeline.schedule.cron import parse_cron

SATURDAY = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("expression", "next_tick"),
    [
        ("0 3 * * *", "2026-11-22T03:00:00+00:00"),
        ("*/15 * * * *", "2026-11-21T12:00:00+00:00"),
        ("30 6 1 * *", "2026-12-01T06:30:00+00:00"),
        ("0 3 * * 0", "2026-11-22T03:00:00+00:00"),  # cron's 0 is Sunday, APScheduler's is Monday
        ("0 3 * * 7", "2026-11-22T03:00:00+00:00"),
        ("0 3 * * 1-5", "2026-11-23T03:00:00+00:00"),
        ("0 3 * * tue", "2026-11-24T03:00:00+00:00"),
        ("0 3 * * 0-2", "2026-11-22T03:00:00+00:00"),
        ("0 3 * * 2-7/2", "2026-11-24T03:00:00+00:00"),
        ("0 3 23 * 5", "2026-11-23T03:00:00+00:00"),  # the 23rd and every Friday
        ("0 3 30 * 1", "2026-11-23T03:00:00+00:00"),
    ],
)
def test_expressions_are_read_as_cron_reads_them(expression: str, next_tick: str) -> None:
    trigger = parse_cron(expression).trigger("UTC", 0)
    assert trigger.get_next_fire_time(None, SATURDAY).isoformat() == next_tick


def test_times_are_of_the_zone() -> None:
    trigger = parse_cron("0 3 * * *").trigger("Asia/Tokyo", 0)
    assert trigger.get_next_fire_time(None, SATURDAY).astimezone(datetime.timezone.utc).hour == 18


def test_chance_makes_a_tick_later_never_earlier() -> None:
    ticks = [parse_cron("0 3 * * *").trigger("UTC", 600).get_next_fire_time(None, SATURDAY) for _ in range(50)]
    on_time = SATURDAY.replace(day=22, hour=3)
    assert len(set(ticks)) > 1
    assert all(on_time <= tick <= on_time + datetime.timedelta(seconds=600) for tick in ticks)


@pytest.mark.parametrize(
    ("expression", "zone", "message"),
    [
        ("every night", None, r"'every night' has 2 field\(s\), expected five: minute, hour"),
        ("0 3 * * 5-1", None, r"--cron '0 3 \* \* 5-1'"),
        ("0 3 * * 8", None, r"--cron '0 3 \* \* 8'"),
        ("61 3 * * *", None, r"--cron '61 3 \* \* \*'.*higher than the maximum value"),
        ("0 3 * * *", "Mars/Olympus", "Mars/Olympus"),
    ],
)
def test_what_says_nothing_is_refused(expression: str, zone: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_cron(expression).trigger(zone, 0)


@pytest.mark.parametrize(
    ("expression", "calendars"),
    [
        ("0 3 * * *", ["*-*-* 3:0:00"]),
        ("*/15 8-18 * */2 1-3", ["Mon,Tue,Wed *-1/2-* 8..18:0/15:00"]),
        ("0 3 1,15 jan-Mar 5", ["*-1..3-1,15 3:0:00", "Fri *-1..3-* 3:0:00"]),
    ],
)
def test_systemd_is_told_the_same(expression: str, calendars: list[str]) -> None:
    assert parse_cron(expression).calendars() == calendars
    if shutil.which("systemd-analyze"):
        assert subprocess.run(["systemd-analyze", "calendar", *calendars], capture_output=True).returncode == 0
