"""Prints a schedule as a definition for another scheduler, which calls `python -m pipeline.run`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.schedule.cron import Cron

DEFAULT_IMAGE = "classifier:latest"
TEMPLATES = Path(__file__).parent / "templates"
# The options beside --cron that each scheduler can express, some only with one value.
CAN_SAY = {
    "crontab": ("--missed never",),  # nothing else: cron has only the machine's time zone
    "systemd": ("--timezone", "--jitter_seconds", "--missed"),
    "kubernetes": ("--timezone", "--missed", "--image"),
    "airflow": ("--timezone", "--missed once"),
}
SCHEDULERS = tuple(CAN_SAY)


def emit(scheduler: str, cron: Cron, asked: Mapping[str, Any], run_arguments: Sequence[str]) -> str:
    """Returns the definition of a schedule for another scheduler.

    `asked` holds the schedule's other options by name. Raises UsageError if the scheduler cannot express one of them.
    """
    import jinja2

    sayable = CAN_SAY[scheduler]
    refused = [name for name, value in asked.items() if name not in sayable and f"{name} {value}" not in sayable]
    if refused:
        raise UsageError(
            f"--emit {scheduler} cannot say {', '.join(refused)}, only {', '.join(sayable)} beside --cron. Leave it "
            "out, or let `python -m pipeline.schedule` itself go on running."
        )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["quoted"] = shlex.quote
    return environment.get_template(f"{scheduler}.j2").render(
        cron=cron,
        timezone=asked.get("--timezone"),
        jitter_seconds=asked.get("--jitter_seconds"),
        make_up=asked.get("--missed") != "never",
        image=asked.get("--image", DEFAULT_IMAGE),
        folder=str(Path.cwd()),
        python=sys.executable,
        arguments=["--runner=DirectRunner", *run_arguments],
        command=shlex.join([sys.executable, "-m", "pipeline.run", "--runner=DirectRunner", *run_arguments]),
    )
