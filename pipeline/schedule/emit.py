"""The same schedule for those who have a scheduler already: a definition that calls the same command."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.schedule.cron import Cron

TEMPLATES = Path(__file__).parent / "templates"
SCHEDULERS = ("crontab", "systemd", "kubernetes", "airflow")


def emit(scheduler: str, cron: Cron, timezone: str | None, image: str, run_arguments: Sequence[str]) -> str:
    """The definition. Raises UsageError where the scheduler cannot say this."""
    import jinja2

    if scheduler == "crontab" and timezone:
        raise UsageError("--emit crontab: cron runs in the machine's own time zone; leave --timezone out.")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["quoted"] = shlex.quote
    return environment.get_template(f"{scheduler}.j2").render(
        cron=cron,
        timezone=timezone,
        image=image,
        folder=str(Path.cwd()),
        python=sys.executable,
        arguments=["--runner=DirectRunner", *run_arguments],
        command=shlex.join([sys.executable, "-m", "pipeline.run", "--runner=DirectRunner", *run_arguments]),
    )
