from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.limited import run_limited


def test_what_a_command_did_is_told() -> None:
    code = "import sys; print('done'); print('oh', file=sys.stderr); sum(range(10**7)); sys.exit(3)"
    finished = run_limited([sys.executable, "-c", code], 60)
    assert (finished.exit_code, finished.printed, finished.complaints) == (3, "done\n", "oh\n")
    assert finished.processor_seconds > 0


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    begun, written = tmp_path / "begun", tmp_path / "written"
    child = f"import pathlib, time; time.sleep(2); pathlib.Path({str(written)!r}).touch()"
    code = f"import pathlib, subprocess, sys; print('begun', flush=True); pathlib.Path({str(begun)!r}).touch()"
    code += f"; subprocess.run([sys.executable, '-c', {child!r}])"
    finished = run_limited([sys.executable, "-c", code], 1)
    assert finished.exit_code is None
    time.sleep(2.5)
    assert not written.exists()
    if begun.exists():  # on a slow machine it may have been ended before
        assert finished.printed == "begun\n"
