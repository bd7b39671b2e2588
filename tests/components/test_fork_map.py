from __future__ import annotations

import os
import subprocess
import sys
import threading

from components.fork_map import map_forked

_PROGRAM = """
import os, sys
from components.fork_map import map_forked

main = os.getpid()

def work(item):
    if item in {broken} and os.getpid() != main:
        {how}
    return b"%d of %d" % (item, os.getpid() == main)

print(b"|".join(map_forked(work, range({count}))).decode())
"""


def results(count: int, broken: tuple[int, ...] = (), how: str = "pass") -> list[str]:
    """The results of a process that has one thread: each says whether it was computed in that process itself."""
    program = _PROGRAM.format(broken=broken, how=how, count=count)
    command = [sys.executable, "-c", program]
    finished = subprocess.run(command, env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout.strip().split("|")


def test_results_are_in_order_from_several_processes() -> None:
    found = [each.split(" of ") for each in results(1001)]
    assert [int(item) for item, _ in found] == list(range(1001))
    several = sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1
    assert {here for _, here in found} == ({"0", "1"} if several else {"1"})


def test_there_may_be_less_to_do_than_processes() -> None:
    assert [each.split(" of ")[0] for each in results(1)] == ["0"]
    assert results(0) == [""]


def test_what_a_process_fails_at_is_done_here() -> None:
    for how in ("raise ValueError", "os.kill(os.getpid(), 9)", "sys.exit('no')"):
        assert results(11, broken=tuple(range(11)), how=how) == [f"{item} of 1" for item in range(11)]


def test_a_process_with_threads_does_all_itself() -> None:
    wait = threading.Event()
    other = threading.Thread(target=wait.wait)
    other.start()
    try:
        assert map_forked(lambda item: b"%d" % os.getpid(), range(9)) == [b"%d" % os.getpid()] * 9
    finally:
        wait.set()
        other.join()


def test_no_process_is_left() -> None:
    program = _PROGRAM.format(broken=(), how="pass", count=9) + "os.waitpid(-1, os.WNOHANG)"
    command = [sys.executable, "-c", program]
    finished = subprocess.run(command, env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True)
    assert "ChildProcessError" in finished.stderr
