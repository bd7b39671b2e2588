from __future__ import annotations

import datetime
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import islice

import pytest

from pipeline.errors import UsageError
from pipeline.schedule.cron import find_zone, parse_cron
from pipeline.schedule.emit import emit

SATURDAY = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.timezone.utc)
LEAP_YEAR = datetime.datetime(2028, 1, 1, tzinfo=datetime.timezone.utc)
ELAPSE = re.compile(r"(?:Next elapse|Iter\. #\d+): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")
COMPARED = 400  # ticks, more than a daily schedule has in a year
EXPRESSIONS = (
    "0 3 * * *", "*/15 8-18 * */2 1-3", "7-59/13 4 2 * *", "30 6 1 * *", "59 23 31 12 *", "0 12 31 * *",
    "0 3 * * 0", "0 3 * * 7", "0 3 * * 1-5", "0 3 * * tue", "0 3 * * 0-2", "0 3 * * 2-7/2", "0 3 * * 0-7",
    "0 3 * * mon-fri/2", "0 3 * * Sun-Thu", "0 3 * * fri-mon", "0 3 * * Sat-Sun", "0 3 * * 5-7", "0 3 * * */2",
    "0 3 23 * 5", "0 3 30 * 1", "0 0 13 * FRI", "0 0 31 2 1", "0 0 31 2-4 1", "0 0 1-31 * 5", "0 0 1-31/2 * 5",
    "0 0 29 2 *", "5,10,20 1 */10 * *", "0 0 1,15 JAN-mar,Nov *", "0 0 1 jan-dec/3 *", "05 */1 */1 07 1,3-5",
)  # fmt: skip
NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), (
    "sun", "mon", "tue", "wed", "thu", "fri", "sat",
)  # fmt: skip


def values(field: str, first: int, last: int, names: tuple[str, ...] = ()) -> set[int]:
    """What cron's manual says of a field. Days of the week may go past Saturday."""
    for number, name in enumerate(names, first):
        field = field.lower().replace(name, str(number))
    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        low, _, high = span.replace("*", f"{first}-{last}").partition("-")
        end = int(high or low) + (7 if int(high or low) < int(low) else 0)
        found |= set(range(int(low), end + 1, int(step or 1)))
    return {value % 7 for value in found} if "sun" in names else found


def by_cron(expression: str) -> Iterator[datetime.datetime]:
    """The ticks in a year, by cron's own rule: either day counts unless one of the two fields begins with a star."""
    minute, hour, day, month, weekday = expression.split()
    days, months = values(day, 1, 31), values(month, 1, 12, NAMES[0])
    weekdays = values(weekday, 0, 6, NAMES[1])
    either = "*" not in (day[0], weekday[0])
    for date in (LEAP_YEAR + datetime.timedelta(days=number) for number in range(366)):
        fits = date.day in days, date.isoweekday() % 7 in weekdays
        if date.month in months and (any(fits) if either else all(fits)):
            for at in sorted(values(hour, 0, 23)):
                yield from (date.replace(hour=at, minute=each) for each in sorted(values(minute, 0, 59)))


def by_schedule(expression: str) -> Iterator[datetime.datetime]:
    """The ticks in a year of the schedule that runs in this process."""
    trigger = parse_cron(expression).trigger("UTC", 0)
    tick = trigger.get_next_fire_time(None, LEAP_YEAR)
    while tick is not None and tick.year == LEAP_YEAR.year:
        yield tick
        tick = trigger.get_next_fire_time(tick, tick)


def by_systemd(expression: str) -> list[datetime.datetime]:
    """The first ticks in a year of the timer that is emitted."""
    timer = emit("systemd", parse_cron(expression), {"--timezone": "UTC"}, [])
    found: set[datetime.datetime] = set()
    for line in timer.splitlines():
        if line.startswith("OnCalendar="):
            # The base itself is no time at which it elapses.
            base = f"--base-time={LEAP_YEAR - datetime.timedelta(seconds=1):%Y-%m-%d %H:%M:%S} UTC"
            command = ["systemd-analyze", "calendar", f"--iterations={COMPARED}", base, line.partition("=")[2]]
            told = subprocess.run(command, capture_output=True, text=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"})
            assert told.returncode == 0, told.stderr
            found |= {datetime.datetime.fromisoformat(f"{time}+00:00") for time in ELAPSE.findall(told.stdout)}
    return sorted(tick for tick in found if tick.year == LEAP_YEAR.year)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_schedule_and_crontab_run_at_the_same_times_for_a_year(expression: str) -> None:
    expected = list(islice(by_cron(expression), COMPARED))
    assert expected
    assert list(islice(by_schedule(expression), COMPARED)) == expected
    line = emit("crontab", parse_cron(expression), {}, []).splitlines()[-1]
    fields = line.partition(" cd ")[0]
    assert set(fields) <= set("0123456789*,-/ ")  # names are not for every cron
    assert list(islice(by_cron(fields), COMPARED)) == expected


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_systemd_runs_at_the_same_times_for_a_year(expression: str) -> None:
    assert by_systemd(expression)[:COMPARED] == list(islice(by_cron(expression), COMPARED))


@pytest.mark.parametrize(
    ("expression", "next_tick"),
    [
        ("0 3 * * *", "2026-11-22T03:00:00+00:00"),
        ("*/15 * * * *", "2026-11-21T12:00:00+00:00"),
        ("0 3 * * 0", "2026-11-22T03:00:00+00:00"),  # cron's 0 is Sunday, APScheduler's is Monday
        ("0 3 * * 1-5", "2026-11-23T03:00:00+00:00"),
        ("0 3 23 * 5", "2026-11-23T03:00:00+00:00"),  # the 23rd and every Friday
        ("0 3 29 2 *", "2028-02-29T03:00:00+00:00"),
    ],
)
def test_the_next_tick(expression: str, next_tick: str) -> None:
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
    ("expression", "message"),
    [
        ("every night", "has 2 field(s), expected five: minute, hour"),
        ("@daily", "has 1 field(s), expected five: minute, hour"),
        ("61 3 * * *", "the minute has '61', which is out of bounds. Expected 0 to 59, ranges and steps such as 1-58 "),
        ("0 24 * * *", "the hour has '24', which is out of bounds. Expected 0 to 23,"),
        ("0 3 0 * *", "the day of the month has '0', which is out of bounds. Expected 1 to 31,"),
        ("0 3 * 13 *", "the month has '13', which is out of bounds. Expected 1 to 12 or jan to dec,"),
        ("0 3 * * 8", "the day of the week has '8', which is out of bounds. Expected 0 to 7 or sun to sat,"),
        ("0 3 * * jan", "the day of the week has 'jan', which is no name here. Expected 0 to 7 or sun to sat,"),
        ("0 3 * * monday", "the day of the week has 'monday', which is not standard cron."),
        ("0 3 * * sun#2", "the day of the week has 'sun#2', which is not standard cron."),
        ("0 3 * * 5L", "the day of the week has '5L', which is not standard cron."),
        ("0 3 L * *", "the day of the month has 'L', which is not standard cron."),
        ("0 3 15W * ?", "the day of the month has '15W', which is not standard cron."),
        ("0 3 * * ?", "the day of the week has '?', which is not standard cron."),
        ("0 3 * * 1,,2", "the day of the week has '', which is not standard cron."),
        ("*-5 3 * * *", "the minute has '*-5', which is not standard cron."),
        ("٣ 3 * * *", "the minute has '٣', which is not standard cron."),
        ("50-10 3 * * *", "the minute has '50-10', a range that goes down."),
        ("0 3 * nov-feb *", "the month has 'nov-feb', a range that goes down."),
        ("5/15 3 * * *", "the minute has '5/15', a step without a range."),
        ("*/60 * * * *", "the minute has '*/60', whose step is not 1 to 59."),
        ("0 */24 * * *", "the hour has '*/24', whose step is not 1 to 23."),
        ("0 3 * * 1-3/3", "the day of the week has '1-3/3', whose step is not 1 to 2."),
        ("*/0 * * * *", "the minute has '*/0', whose step is not 1 to 59."),
        ("0 0 31 2 *", "never runs: no month 2 has a day 31."),
        ("0 0 30,31 FEB *", "never runs: no month FEB has a day 30,31."),
        ("0 0 31 4,6,9,11 *", "never runs: no month 4,6,9,11 has a day 31."),
        ("0 0 */2 * 1", "the day of the month has '*/2' while the days of the month and of the week are both"),
        ("0 0 1 * */2", "run on either: write 0-6/2."),
    ],
)
def test_what_is_not_standard_or_never_runs_is_refused(expression: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_cron(expression)
    assert f"--cron {expression!r}" in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "", "/etc/localtime", "../UTC", "JST-9"])
def test_a_zone_that_is_not_known_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"--timezone .* is no time zone that is known here. Expected a name such as"):
        find_zone(name)


@pytest.mark.parametrize(
    ("expression", "calendars"),
    [
        ("0 3 * * *", ["*-*-* 3:0:00"]),
        ("*/15 8-18 * */2 1-3", ["Mon,Tue,Wed *-1..11/2-* 8..18:0..45/15:00"]),
        ("0 3 1,15 jan-Mar 5", ["*-1..3-1,15 3:0:00", "Fri *-1..3-* 3:0:00"]),
        ("0 3 31 2 5", ["Fri *-2-* 3:0:00"]),
    ],
)
def test_systemd_is_told_the_same(expression: str, calendars: list[str]) -> None:
    assert parse_cron(expression).calendars() == calendars
