"""Runs a module of this project as a program: in a new process that shares no state with this one."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import components

TOO_LATE = "Timeout ("  # with these words faulthandler ends a process


class Program:
    """A running program; the caller can do other work meanwhile."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process, self.log = process, log

    def tell(self, line: str) -> None:
        """Writes a line to the program's standard input. If it has ended, nobody reads it: `wait` says how it ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as standard_input:
            standard_input.write(f"{line}\n".encode())

    def wait(self) -> int:
        """Waits for the end of the program, and returns its exit code; 0 if all went well."""
        return self._process.wait()

    @property
    def was_too_late(self) -> bool:
        """Whether faulthandler ended it, or a process of its own, after a time limit."""
        return any(line.startswith(TOO_LATE) for line in self._lines())

    @property
    def last_line(self) -> str:
        """The last line that it wrote, such as the exception that ended it."""
        lines = self._lines()
        return lines[-1] if lines else "it said nothing"

    def _lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()


@contextlib.contextmanager
def running(module: str, arguments: Sequence[object], log: Path) -> Iterator[Program]:
    """Starts `python -m module arguments`, and ends it if the caller leaves early. Its output goes to `log`."""
    here = str(Path(components.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield Program(process, log)
        finally:
            process.kill()


def hasten_start() -> None:
    """Leaves out of this process's start what TensorFlow imports for others. To be called before the import."""
    # TensorFlow would import Keras, for Keras's own way of loading: a third of a program's start, and not used here.
    sys.modules["keras.src.optimizers"] = None  # type: ignore[assignment]
    gc.set_threshold(50_000)  # Python's 700 would look for garbage at every few modules that are imported
