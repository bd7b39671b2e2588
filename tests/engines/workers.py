"""Workers that an engine starts as processes, with nothing of the project but the boot program."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
BOOT = REPOSITORY / "pipeline" / "runners" / "worker_boot.py"


def install_boot(folder: Path, python: str) -> None:
    """Puts the boot program into a folder as the docs say; `python` is that of the place where it will run."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(BOOT, folder / "boot.py")
    boot = folder / "boot"
    boot.write_text(f'#!/bin/sh\nexec {python} "$(dirname "$0")/boot.py" "$@"\n')
    boot.chmod(0o755)


def worker_options(boot_program: str) -> list[str]:
    """Beam's options for such workers."""
    return [
        "--environment_type=PROCESS",
        f"--environment_config={json.dumps({'command': boot_program})}",
        f"--setup_file={REPOSITORY / 'setup.py'}",
    ]


def worker_processes(temporary: Path) -> set[str]:
    """The ids of all worker processes that were started with this folder for their temporary files."""
    return {each.name.split("-")[2] for each in temporary.glob("beam-worker-*")}
