"""Cron expressions: as cron reads them, for those who read them otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # cron's 0 to 7


class Cron(NamedTuple):
    """The five fields of an expression."""

    minute: str
    hour: str
    day: str
    month: str
    weekday: str  # by name: cron counts from Sunday, APScheduler from Monday

    def __str__(self) -> str:
        return " ".join(self)

    def trigger(self, timezone: str | None, jitter_seconds: int) -> CronTrigger:
        """APScheduler's. Raises UsageError where the expression or the time zone says nothing."""
        from apscheduler.triggers.cron import CronTrigger
        from pytz.exceptions import UnknownTimeZoneError

        try:
            return CronTrigger(
                minute=self.minute,
                hour=self.hour,
                day=self.day,
                month=self.month,
                day_of_week=self.weekday,
                timezone=timezone,
                jitter=jitter_seconds or None,
            )
        except (ValueError, LookupError, UnknownTimeZoneError) as error:
            raise UsageError(f"--cron {str(self)!r}, --timezone {timezone}: {error}.") from error

    def calendar(self) -> str:
        """As systemd's OnCalendar has it: `Mon..Fri *-*-* 03:00:00`."""
        day, month = (_systemd(field, 1) for field in (self.day, self.month))
        hour, minute = (_systemd(field, 0) for field in (self.hour, self.minute))
        weekday = "" if self.weekday == "*" else f"{self.weekday.replace('-', '..')} "
        return f"{weekday}*-{month}-{day} {hour}:{minute}:00"


def parse_cron(expression: str) -> Cron:
    """Raises UsageError unless there are five fields."""
    fields = expression.split()
    if len(fields) != 5:
        raise UsageError(
            f"--cron {expression!r} has {len(fields)} field(s), expected five: minute, hour, day of the month, month, "
            'day of the week, such as "0 3 * * *" for every night at three.'
        )
    weekday = re.sub(r"(?<![/\d])[0-7](?!\d)", lambda day: DAYS[int(day[0])], fields[4])
    minute, hour, day, month, _ = fields
    return Cron(minute, hour, day, month, weekday)


def _systemd(field: str, first: int) -> str:
    field = re.sub(r"\*/", f"{first}/", field)
    return re.sub(r"(\d+)-(\d+)", r"\1..\2", field)
