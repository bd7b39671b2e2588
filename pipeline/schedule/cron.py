"""Cron expressions: what one says, and how APScheduler, crontab and systemd are told the same."""

from __future__ import annotations

import calendar
import os
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from apscheduler.triggers.base import BaseTrigger

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LONGEST = tuple(calendar.monthrange(2000, month)[1] for month in range(1, 13))  # February has 29 days
TERM = re.compile(r"(\*|[0-9]{1,4}|[a-z]{3})(?:-([0-9]{1,4}|[a-z]{3}))?(?:/([0-9]{1,4}))?", re.ASCII | re.IGNORECASE)


class Field(NamedTuple):
    """One of the five fields of an expression, and the values that it may have."""

    name: str
    first: int
    last: int
    words: tuple[str, ...] = ()  # the names of the values, from the first on
    is_cycle: bool = False  # whether a range may go past the last value: fri-mon

    @property
    def all(self) -> tuple[int, ...]:
        """All values, which is what `*` means."""
        return tuple(range(self.first, self.last + 1))

    def read(self, text: str) -> tuple[int, ...]:
        """Returns the values that a list of terms means, in ascending order. Raises UsageError."""
        return tuple(sorted({value for term in text.split(",") for value in self._read_term(term)}))

    def _read_term(self, term: str) -> list[int]:
        match = TERM.fullmatch(term)
        if match is None or (match[1] == "*" and match[2]):
            raise self._refusal(term, "which is not standard cron")
        if match[3] and match[1] != "*" and not match[2]:
            raise self._refusal(term, "a step without a range")
        low, high = self._ends(match[1], match[2], term)
        step, most = int(match[3] or 1), max(1, high - low)  # a larger one would leave only the first value
        if not 1 <= step <= most:
            raise self._refusal(term, f"whose step is not 1 to {most}")
        return [value % len(self.all) if self.is_cycle else value for value in range(low, high + 1, step)]

    def _ends(self, first: str, last: str | None, term: str) -> tuple[int, int]:
        """Returns the first and the last value of a range; the last may lie in the next cycle."""
        if first == "*":
            return self.first, self.last
        low = self._number(first, term)
        high = low if last is None else self._number(last, term)
        if high < low and not self.is_cycle:
            raise self._refusal(term, "a range that goes down")
        return low, high + len(self.all) if high < low else high

    def _number(self, word: str, term: str) -> int:
        """Returns the value that a number or a name means. In cron, both 0 and 7 are Sunday."""
        if word.lower() in self.words:
            return self.first + self.words.index(word.lower())
        if not word.isdecimal() or not self.first <= int(word) <= self.last + self.is_cycle:
            raise self._refusal(term, "which is out of bounds" if word.isdecimal() else "which is no name here")
        return int(word)

    def _refusal(self, term: str, why: str) -> UsageError:
        names = f" or {self.words[0]} to {self.words[-1]}" if self.words else ""
        bounds = f"{self.first} to {self.last + self.is_cycle}{names}"
        examples = f"{self.first + 1}-{self.last - 1} and */2"
        return UsageError(
            f"the {self.name} has {term!r}, {why}. Expected {bounds}, ranges and steps such as {examples}, or a list "
            "of these with commas."
        )


MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day of the month", 1, 31)
MONTH = Field("month", 1, 12, MONTHS)
WEEKDAY = Field("day of the week", 0, 6, WEEKDAYS, is_cycle=True)
FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)


class Cron(NamedTuple):
    """The times of a schedule: the values of each field, in ascending order.

    If some days of the month and some days of the week are left out, it runs on days that fit either, as in cron.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]  # 0 is Sunday

    def __str__(self) -> str:
        """The expression that every cron reads alike: numbers alone, and no `*` with a step."""
        return " ".join(_spell(field, values, "-") for field, values in zip(FIELDS, self, strict=True))

    def trigger(self, timezone: str | None, jitter_seconds: int) -> BaseTrigger:
        """Returns APScheduler's trigger. Raises UsageError if the time zone is not known."""
        from apscheduler.triggers.combining import OrTrigger

        zone = None if timezone is None else find_zone(timezone)
        return OrTrigger([part._trigger(zone, jitter_seconds) for part in self._parts()])

    def calendars(self) -> list[str]:
        """Returns the times as systemd's OnCalendar expressions: `Mon,Tue *-*-* 3:0:00`."""
        return [part._calendar() for part in self._parts()]

    def _trigger(self, zone: ZoneInfo | None, jitter_seconds: int) -> BaseTrigger:
        from apscheduler.triggers.cron import CronTrigger

        minute, hour, day, month = (",".join(map(str, values)) for values in self[:4])
        weekday = ",".join(WEEKDAYS[each] for each in self.weekdays)  # by name: APScheduler counts from Monday
        jitter = jitter_seconds or None
        try:
            return CronTrigger(
                minute=minute, hour=hour, day=day, month=month, day_of_week=weekday, timezone=zone, jitter=jitter
            )
        except (LookupError, ValueError, OSError) as error:  # what is not known is this machine's own zone
            raise UsageError(
                f"--cron needs a time zone. This machine's, {_local_zone()}, has no name that is known here. Give one, "
                "such as --timezone Europe/Paris."
            ) from error

    def _calendar(self) -> str:
        minute, hour, day, month = (
            _spell(field, values, "..") for field, values in zip(FIELDS[:4], self[:4], strict=True)
        )
        names = ",".join(WEEKDAYS[each].capitalize() for each in self.weekdays)
        weekday = "" if self.weekdays == WEEKDAY.all else f"{names} "
        return f"{weekday}*-{month}-{day} {hour}:{minute}:00"

    def _parts(self) -> list[Cron]:
        """Returns schedules whose times together are these, for schedulers that combine days with "and"."""
        if DAY.all == self.days or WEEKDAY.all == self.weekdays:
            return [self]
        either = self._replace(weekdays=WEEKDAY.all), self._replace(days=DAY.all)
        return [part for part in either if part._occurs()]

    def _occurs(self) -> bool:
        """Returns whether one of the months has one of the days."""
        return any(self.days[0] <= LONGEST[month - 1] for month in self.months)


def parse_cron(expression: str) -> Cron:
    """Returns the times of an expression of five fields, as cron reads them.

    Names may have capitals, and days of the week may go past Saturday: `Fri-Mon`. Raises UsageError for what is not
    standard cron, what schedulers read differently, and what never runs.
    """
    texts = expression.split()
    if len(texts) != len(FIELDS):
        raise UsageError(
            f"--cron {expression!r} has {len(texts)} field(s), expected five: minute, hour, day of the month, month, "
            'day of the week, such as "0 3 * * *" for every night at three.'
        )
    try:
        cron = Cron(*(field.read(text) for field, text in zip(FIELDS, texts, strict=True)))
        cron = _combine_days(cron, texts[2], texts[4])
    except UsageError as error:
        raise UsageError(f"--cron {expression!r}: {error}") from None
    if not cron._parts()[0]._occurs():
        raise UsageError(
            f"--cron {expression!r} never runs: no month {texts[3]} has a day {texts[2]}. Choose a day that the month "
            "has."
        )
    return cron


def find_zone(name: str) -> ZoneInfo:
    """Returns the time zone of this name. Raises UsageError if there is none."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise UsageError(
            f"--timezone {name!r} is no time zone that is known here. Expected a name such as Europe/Paris or UTC."
        ) from error


def _local_zone() -> str:
    """Returns where this machine's time zone comes from."""
    zone = os.environ.get("TZ")
    return f"TZ={zone}" if zone else "of /etc/timezone or /etc/localtime"


def _combine_days(cron: Cron, day: str, weekday: str) -> Cron:
    """Returns the times, with all days where either field means each of them. Raises UsageError."""
    is_any_day = day.startswith("*") and cron.days == DAY.all
    is_any_weekday = weekday.startswith("*") and cron.weekdays == WEEKDAY.all
    if is_any_day or is_any_weekday:
        return cron
    for field, text, values in ((DAY, day, cron.days), (WEEKDAY, weekday, cron.weekdays)):
        if text.startswith("*"):
            raise UsageError(
                f"the {field.name} has {text!r} while the days of the month and of the week are both restricted. Some "
                "schedulers would run on days that fit both, others on days that fit either. Without a *, all of them "
                f"run on either: write {_spell(field, values, '-')}."
            )
    if DAY.all == cron.days or WEEKDAY.all == cron.weekdays:
        return cron._replace(days=DAY.all, weekdays=WEEKDAY.all)
    return cron


def _spell(field: Field, values: Sequence[int], dash: str) -> str:
    """Returns `*`, `8-18`, `0-45/15` or `1,15` for the values; `dash` stands between the ends of a range."""
    if tuple(values) == field.all:
        return "*"
    steps = {after - before for before, after in pairwise(values)}
    if len(values) < 3 or len(steps) > 1:
        return ",".join(map(str, values))
    (step,) = steps
    return f"{values[0]}{dash}{values[-1]}{f'/{step}' if step > 1 else ''}"
