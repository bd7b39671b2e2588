"""Files appear whole and once, also on disks that lack what others have."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from components.files import CLAIM_SECONDS, place_once


@pytest.fixture(params=["hard links", "no hard links"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a disk of either kind. Such a disk cannot be mounted everywhere; `link` fails there like this."""

    def refuse(*arguments: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if request.param == "no hard links":
        monkeypatch.setattr(os, "link", refuse)
    return tmp_path


def draft(folder: Path, text: str) -> Path:
    path = folder / f"draft-{text}"
    path.write_text(text)
    return path


def test_the_first_one_stays(folder: Path) -> None:
    assert place_once(draft(folder, "first"), folder / "final")
    assert not place_once(draft(folder, "second"), folder / "final")
    assert (folder / "final").read_text() == "first"


def test_of_many_at_once_one_wins(folder: Path) -> None:
    won: list[int] = []
    start = threading.Barrier(8)

    def place(number: int) -> None:
        own = draft(folder, str(number))
        start.wait()
        if place_once(own, folder / "final"):
            won.append(number)

    threads = [threading.Thread(target=place, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (folder / "final").read_text() == str(*won)


def test_the_claim_of_a_process_that_is_gone_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = tmp_path / ".final.claim"
    claim.touch()
    long_ago = time.time() - CLAIM_SECONDS - 1
    os.utime(claim, (long_ago, long_ago))

    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    assert place_once(draft(tmp_path, "late"), tmp_path / "final")
    assert not claim.exists()


def test_what_an_error_of_another_kind_says_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        place_once(tmp_path / "nowhere", tmp_path / "final")


def test_a_process_that_is_killed_leaves_no_lock(tmp_path: Path) -> None:
    code = "import fcntl, sys, os; from components.files import lock; f = open(sys.argv[1], 'a'); lock(f, 2)"
    killed = subprocess.run([sys.executable, "-c", f"{code}; os.kill(os.getpid(), 9)", str(tmp_path / "lock")])
    assert killed.returncode == -9
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "lock")], check=True, timeout=60)
