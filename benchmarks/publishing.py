"""Checks what a reader sees while versions are pushed, rolled back and removed, and pushing processes are killed.

Two processes push versions of a few megabytes as `components.push` does. Each is killed with SIGKILL repeatedly, at a
random moment, and started again. A third process rolls back at random. The reader polls the folder all the time: it
reads the version with the highest number completely, checks it against its recorded digests, and follows both pointers.

    python -m benchmarks.publishing --pushes 100
    python -m benchmarks.publishing --pushes 20 --life_seconds 2
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from components.component import ComponentError
from components.registry import pointers
from components.registry.layout import EXTRA, MODEL_CARD, PROVENANCE
from components.registry.staging import publish, staging_folder, write_provenance
from components.registry.versions import latest_version

FILES, FILE_BYTES = 8, 1 << 18
KEEP = 5
SHORTEST_LIFE = 0.2  # the shortest life of a pusher, as a fraction of the longest
PUSHERS = 2


def main() -> None:
    """Runs the check and prints its counts. Exits with 1 if a reader saw what it must not see, or a pusher failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pushes", type=int, default=100, metavar="N", help="ends after N versions")
    parser.add_argument(
        "--life_seconds", type=float, default=5.0, help="the longest life of a pusher, including the start of Python"
    )
    parser.add_argument("--push", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--roll_back", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.push or options.roll_back:
        _push_forever(options.push) if options.push else _roll_back_forever(options.roll_back)
    with tempfile.TemporaryDirectory() as folder:
        counts = measure(Path(folder), options.pushes, options.life_seconds)
    print("\n".join(f"{name.replace('_', ' '):<20}{count:>8,}" for name, count in counts.items()))
    print(json.dumps(counts))
    sys.exit(bool(counts["partial"] or counts["dangling"] or counts["ended_by_itself"]))


def measure(pushed: Path, pushes: int, life_seconds: float) -> dict[str, int]:
    """Returns the counts of what the reader saw, until `pushes` versions have been pushed.

    Pushers live for at most `life_seconds`.
    """
    ended = threading.Event()
    counts: Counter[str] = Counter(reads=0, partial=0, dangling=0, removed_while_read=0, kills=0, ended_by_itself=0)
    killing = (pushed, life_seconds, ended, counts)
    others = [threading.Thread(target=_keep_killing, args=killing) for _ in range(PUSHERS)]
    (pushed / "rollbacks").touch()
    rolling = subprocess.Popen([sys.executable, "-m", __spec__.name, f"--roll_back={pushed}"])
    for thread in others:
        thread.start()
    try:
        while _highest_ever(pushed) < pushes and not counts["ended_by_itself"]:
            look(pushed, counts)
    finally:
        ended.set()
        for thread in others:
            thread.join()
        rolling.kill()
        rolling.wait()
    rollbacks = len((pushed / "rollbacks").read_bytes())
    return {"pushes": _highest_ever(pushed), "rollbacks": rollbacks, **counts}


def look(pushed: Path, counts: Counter[str]) -> None:
    """Reads the version that is served, follows the pointers, and adds what it saw to `counts`."""
    version = latest_version(pushed)
    if version is not None:
        counts["reads"] += 1
        counts[_read(version)] += 1
    for pointer in (pushed / "latest", pushed / "best"):
        counts["dangling"] += _dangles(pointer)


def _read(version: Path) -> str:
    """Reads all files of a version, and returns what it saw: "whole", "partial", "removed_while_read" or "gone".

    Files are opened relative to the open folder, so a version that is withdrawn meanwhile is still whole.
    """
    try:
        folder = os.open(version, os.O_RDONLY)
    except FileNotFoundError:
        return "gone"
    try:
        files = json.loads(_content(folder, PROVENANCE))["files"]
        damaged = [name for name, file in files.items() if _digest(_content(folder, name)) != file["sha256"]]
        whole = not damaged and len(files) == FILES + 1
    except (OSError, ValueError):
        whole = False
    try:
        # A version is moved away before its files are removed: one that is still in its place must be whole.
        still_there = os.fstat(folder).st_ino == version.stat().st_ino
    except FileNotFoundError:
        still_there = False
    os.close(folder)
    return "whole" if whole else "partial" if still_there else "removed_while_read"


def _content(folder: int, name: str) -> bytes:
    with open(name, "rb", opener=lambda path, flags: os.open(path, flags, dir_fd=folder)) as file:
        return file.read()


def _dangles(pointer: Path) -> bool:
    """Returns whether a pointer leads nowhere, and not only because it was replaced between two looks."""
    while pointer.is_symlink():
        target = os.readlink(pointer)
        if pointer.exists():
            return False
        if os.readlink(pointer) == target:
            return True
    return False


def _highest_ever(pushed: Path) -> int:
    numbers = [int(path.name) for path in (*pushed.glob("[0-9]*"), *pushed.glob("withdrawn/[0-9]*"))]
    return max(numbers, default=0)


def _keep_killing(pushed: Path, life_seconds: float, ended: threading.Event, counts: Counter[str]) -> None:
    while not ended.is_set():
        pusher = subprocess.Popen([sys.executable, "-m", __spec__.name, f"--push={pushed}"])
        was_killed = not ended.wait(random.uniform(SHORTEST_LIFE * life_seconds, life_seconds))
        pusher.kill()
        if pusher.wait() != -signal.SIGKILL:
            counts["ended_by_itself"] += 1
        counts["kills"] += was_killed


def _push_forever(pushed: Path) -> None:
    while True:
        identity = str(random.random())
        with staging_folder(pushed) as staging:
            (staging / EXTRA).mkdir()
            for number in range(FILES):
                (staging / f"file{number}").write_bytes(os.urandom(FILE_BYTES))
            comparison = {"accuracy": random.random()}
            card = {"class_names": ["a"], "image_height": 1, "image_width": 1}
            card["files"] = [{"variant": "saved_model", "comparison": comparison}]
            (staging / MODEL_CARD).write_text(json.dumps(card))
            write_provenance(staging, identity, {"model_digest": identity})
            publish(staging, pushed, identity)
        pointers.finish_push(pushed, KEEP)


def _roll_back_forever(pushed: Path) -> None:
    while True:
        time.sleep(random.uniform(0.1, 0.5))
        with contextlib.suppress(ComponentError):
            there = pointers.withdrawn(pushed)
            pointers.roll_back(pushed, random.choice([None, *there]))
            with (pushed / "rollbacks").open("ab") as file:
                file.write(b".")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
