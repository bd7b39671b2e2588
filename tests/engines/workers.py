"""Workers that an engine starts as processes of this machine, with nothing of the project but the boot script."""

from __future__ import annotations

import json
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
BOOT = REPOSITORY / "pipeline" / "runners" / "worker_boot.py"


def worker_options(folder: Path) -> list[str]:
    """Beam's options for such workers. They log below `folder / "tmp"`, which is made."""
    (folder / "tmp").mkdir(exist_ok=True)
    boot = folder / "boot"
    boot.write_text(f'#!/bin/sh\nexec {sys.executable} {BOOT} "$@"\n')
    boot.chmod(0o755)
    environment = {"command": str(boot), "env": {"TMPDIR": str(folder / "tmp"), "PYTHONPATH": ""}}
    return [
        "--environment_type=PROCESS",
        f"--environment_config={json.dumps(environment)}",
        f"--setup_file={REPOSITORY / 'setup.py'}",
    ]


def worker_processes(folder: Path) -> set[str]:
    """The ids of all worker processes that were started."""
    return {each.name.split("-")[2] for each in (folder / "tmp").glob("beam-worker-*")}
