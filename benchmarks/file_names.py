"""Measures how soon the line sees what is new in a folder of very many files.

    python -m benchmarks.file_names --files 1000000 --rounds 3 --work /tmp/file_names

The files are empty, a thousand in each class folder. Every look is a process of its own, and sees the size and time of
each file. The rows are measured in turns: `find`, which prints them, as a yardstick; the fingerprint alone; and the
whole command `pipeline.run --plan`, as it is, with ten new files, and, for what it takes by itself, of the embedded
sample. Both times include the start of the process. What the system has to read from the disk at first is not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import NamedTuple

FILES_A_FOLDER, NEW_FILES = 1000, 10
_STEP = 7919  # prime: names in an order that is not that of their writing


class Measured(NamedTuple):
    """One look."""

    what: str
    files: int
    seconds: float
    user_seconds: float
    system_seconds: float
    peak_megabytes: float


def write_files(folder: Path, count: int) -> Path:
    """Writes empty files as `<folder>/<class>/<class>_<number>.jpg`, unless they are there, and returns the folder."""
    for start in range(0, count, FILES_A_FOLDER):
        place = folder / f"class{start // FILES_A_FOLDER:06d}"
        numbers = range(start, min(start + FILES_A_FOLDER, count))
        place.mkdir(parents=True, exist_ok=True)
        if len(os.listdir(place)) < len(numbers):
            for number in numbers:
                name = f"{place}/{place.name}_{number * _STEP % 1_000_003:07d}.jpg"
                os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
    return folder


class Looks:
    """The looks at one folder of files."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._count = write_files(folder / f"{count}-files", count), count
        self._root = folder / "root"

    def round(self) -> list[Measured]:
        """Takes each look once. Raises SystemExit if new files do not show, or the old state is not known again."""
        before, fingerprint = self._fingerprint("the fingerprint")
        rows = [*self._find(), before, self._plan("--plan")]
        places = cycle(sorted(self._folder.iterdir()))
        added = [place / f"new{number}.jpg" for number, place in zip(range(NEW_FILES), places, strict=False)]
        for file in added:
            file.touch()
        rows.append(self._plan(f"--plan, {NEW_FILES} new files"))
        row, with_new = self._fingerprint(f"the fingerprint, {NEW_FILES} new files")
        for file in added:
            file.unlink()
        if with_new == fingerprint or self._fingerprint("")[1] != fingerprint:
            raise SystemExit(f"{self._folder}: the fingerprint does not tell {NEW_FILES} new files")
        return [*rows, row, self._plan("--plan of the embedded sample", "cifar10_sample")]

    def _find(self) -> list[Measured]:
        """Returns the yardstick; nothing where `find` is not GNU's."""
        command = ["find", os.fspath(self._folder), "-fprintf", os.devnull, "%P %s %T@\n"]
        tried = subprocess.run([command[0], os.devnull, *command[2:]], capture_output=True)
        return [] if tried.returncode else [self._measure("find -printf", command)[0]]

    def _fingerprint(self, what: str) -> tuple[Measured, str]:
        return self._measure(what, [sys.executable, "-m", __spec__.name, f"--look={self._folder}"])

    def _plan(self, what: str, dataset: str = "") -> Measured:
        options = [f"--pipeline_root={self._root}", f"--set=ingest.dataset={dataset or self._folder}"]
        return self._measure(what, [sys.executable, "-m", "pipeline.run", "--plan", *options])[0]

    def _measure(self, what: str, command: Sequence[str]) -> tuple[Measured, str]:
        started = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            printed = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}")
        peak = used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
        return Measured(what, self._count, seconds, used.ru_utime, used.ru_stime, peak), printed


def table(rows: Sequence[Measured]) -> str:
    """Returns a table with a row for each look: medians of the times, the fastest, and the highest peak."""
    lines = ["| what | files | seconds | fastest | user | system | peak MB |", "|---|---|---|---|---|---|---|"]
    for what in dict.fromkeys(row.what for row in rows):
        of_it = [row for row in rows if row.what == what]
        seconds, user, system = (median(times) for times in zip(*(row[2:5] for row in of_it), strict=True))
        lines.append(
            f"| {what} | {of_it[0].files:,} | {seconds:.2f} | {min(row.seconds for row in of_it):.2f} | {user:.2f} | "
            f"{system:.2f} | {max(row.peak_megabytes for row in of_it):.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Makes the files, takes all looks in turns, and prints the table and all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="a folder for the files, which are empty, but need an inode each")
    parser.add_argument("--look", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.look:
        from components.ingest.fingerprint import listing_digest

        print(listing_digest(options.look))
        return
    if options.work is None:
        parser.error("--work is missing: a folder for the files")
    looks = Looks(options.work.absolute(), options.files)
    rows = []
    for _ in range(options.rounds):
        rows += looks.round()
    print(table(rows))
    print(json.dumps([row._asdict() for row in rows]))


if __name__ == "__main__":
    main()
