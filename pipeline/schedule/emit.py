"""The same schedule for those who have a scheduler already: a definition that calls the same command."""

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
# What each of them can say beside --cron: an option, or an option with one of its values.
CAN_SAY = {
    "crontab": ("--missed never",),  # and nothing else: cron knows no other zone than the machine's
    "systemd": ("--timezone", "--jitter_seconds", "--missed"),
    "kubernetes": ("--timezone", "--missed", "--image"),
    "airflow": ("--timezone", "--missed once"),
}
SCHEDULERS = tuple(CAN_SAY)


def emit(scheduler: str, cron: Cron, asked: Mapping[str, Any], run_arguments: Sequence[str]) -> str:
    """The definition. `asked`: the schedule's other options. Raises UsageError where the scheduler cannot say one."""
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
