"""Cron expressions, translated for schedulers that read them differently from cron."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from apscheduler.triggers.base import BaseTrigger

DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # cron's 0 to 7
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class Cron(NamedTuple):
    """The five fields of an expression."""

    minute: str
    hour: str
    day: str
    month: str
    weekday: str  # by name: cron counts from Sunday, APScheduler from Monday

    def __str__(self) -> str:
        return " ".join(self)

    def trigger(self, timezone: str | None, jitter_seconds: int) -> BaseTrigger:
        """Returns APScheduler's trigger. Raises UsageError if the expression or the time zone is not valid."""
        from apscheduler.triggers.combining import OrTrigger
        from apscheduler.triggers.cron import CronTrigger
        from pytz.exceptions import UnknownTimeZoneError

        try:
            return OrTrigger(
                [
                    CronTrigger(
                        minute=cron.minute,
                        hour=cron.hour,
                        day=cron.day,
                        month=cron.month,
                        day_of_week=cron.weekday,
                        timezone=timezone,
                        jitter=jitter_seconds or None,
                    )
                    for cron in self._either_day()
                ]
            )
        except (ValueError, LookupError, UnknownTimeZoneError) as error:
            raise UsageError(f"--cron {str(self)!r}, --timezone {timezone}: {error}.") from error

    def calendars(self) -> list[str]:
        """Returns the times as systemd's OnCalendar expressions: `Mon,Tue *-*-* 03:00:00`."""
        return [cron._calendar() for cron in self._either_day()]

    def _calendar(self) -> str:
        by_number = re.sub("[a-z]{3}", lambda name: str(MONTHS.index(name[0].lower()) + 1), self.month, flags=re.I)
        day, month = (_systemd(field, 1) for field in (self.day, by_number))
        hour, minute = (_systemd(field, 0) for field in (self.hour, self.minute))
        weekday = "" if self.weekday == "*" else f"{self.weekday.replace('-', '..')} "
        return f"{weekday}*-{month}-{day} {hour}:{minute}:00"

    def _either_day(self) -> tuple[Cron, ...]:
        """Returns expressions whose times together are cron's, for schedulers that combine days with "and".

        If both a day of the month and a day of the week are given, cron runs on either of them.
        """
        if self.day.startswith("*") or self.weekday == "*":
            return (self,)
        return self._replace(weekday="*"), self._replace(day="*")


def parse_cron(expression: str) -> Cron:
    """Returns the fields of an expression, with days of the week by name. Raises UsageError unless there are five."""
    fields = expression.split()
    if len(fields) != 5:
        raise UsageError(
            f"--cron {expression!r} has {len(fields)} field(s), expected five: minute, hour, day of the month, month, "
            'day of the week, such as "0 3 * * *" for every night at three.'
        )
    minute, hour, day, month, weekday = fields
    return Cron(minute, hour, day, month, ",".join(map(_named, weekday.split(","))))


def _named(weekday: str) -> str:
    """Returns days of the week by name, `Mon,Tue,Wed` for `1-3`. In cron, both 0 and 7 are Sunday."""
    numbers = re.fullmatch(r"(\*|[0-7])(?:-([0-7]))?(?:/([1-9]))?", weekday)
    if weekday == "*" or numbers is None:
        return weekday
    first, last, step = numbers.groups()
    low = 0 if first == "*" else int(first)
    high = int(last) if last else 6 if first == "*" or step else low
    return ",".join(dict.fromkeys(DAYS[low : high + 1 : int(step or 1)])) or weekday


def _systemd(field: str, first: int) -> str:
    field = re.sub(r"\*/", f"{first}/", field)
    return re.sub(r"(\d+)-(\d+)", r"\1..\2", field)
