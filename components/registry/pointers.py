"""What lies in `pushed/` beside the versions: pointers, pins, and versions that were taken back.

A link is replaced in one step, and a version moves in one step. Who changes more than one of them does so alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from components.component import ComponentError
from components.registry.layout import BEST, LATEST, LOCK, PINNED, STAGING_PREFIX, WITHDRAWN
from components.registry.versions import best_version, latest_version, numbers


def update_pointers(pushed: Path, newest: float = math.inf) -> None:
    """Sets `latest` and `best` to what they should be, as if nothing newer than `newest` were there."""
    best = best_version(pushed, newest=newest)
    _link(pushed / LATEST, latest_version(pushed, newest))
    _link(pushed / BEST, best.folder if best else None)


def finish_push(pushed: Path, keep: int | None) -> None:
    """After a push: the pointers, and then what no longer stays; all of it does if `keep` is None."""
    with locked(pushed):
        update_pointers(pushed)  # before what they led to goes
        if keep is not None:
            prune(pushed, keep)


def withdrawn(pushed: Path) -> list[int]:
    """The versions that were taken back, ascending."""
    return numbers(pushed / WITHDRAWN)


def roll_back(pushed: Path, version: int | None = None) -> int:
    """Makes `version`, or the one before the latest, the latest again; returns its number.

    What is newer is withdrawn; a version that was withdrawn before comes back. Raises ComponentError if there is none.
    """
    with locked(pushed):
        published, taken_back = numbers(pushed), withdrawn(pushed)
        if version is None:
            if len(published) < 2:
                raise ComponentError(f"{pushed} has {len(published)} version(s): none to go back to.")
            version = published[-2]
        if version not in published + taken_back:
            raise ComponentError(f"There is no version {version} in {pushed}. There: {_listed(published, taken_back)}.")
        if version in taken_back:
            (pushed / WITHDRAWN / str(version)).rename(pushed / str(version))
        update_pointers(pushed, newest=version)  # before what they lead to goes
        for newer in [number for number in published if number > version]:  # a server sees no change but the last
            (pushed / WITHDRAWN).mkdir(exist_ok=True)
            (pushed / str(newer)).rename(pushed / WITHDRAWN / str(newer))
        return version


def pins(pushed: Path) -> list[int]:
    """The versions that are kept whatever comes, ascending."""
    return numbers(pushed / PINNED)


def pin(pushed: Path, version: int) -> None:
    """Keeps a version for good. Raises ComponentError where there is none of that number."""
    if version not in numbers(pushed):
        raise ComponentError(f"There is no version {version} in {pushed}. There: {_listed(numbers(pushed), [])}.")
    (pushed / PINNED).mkdir(exist_ok=True)
    (pushed / PINNED / str(version)).touch()


def unpin(pushed: Path, version: int) -> None:
    """Lets a version go when its time comes. Raises ComponentError if it is not pinned."""
    try:
        (pushed / PINNED / str(version)).unlink()
    except FileNotFoundError as error:
        raise ComponentError(f"Version {version} is not pinned. Pinned: {_listed(pins(pushed), [])}.") from error


def prune(pushed: Path, keep: int) -> list[int]:
    """Removes all but the newest `keep` versions, those that are pinned and the best one; returns what it removed."""
    best = best_version(pushed)
    spared = {*numbers(pushed)[-keep:], *pins(pushed), *([best.number] if best else [])}
    removed = [number for number in numbers(pushed) if number not in spared]
    for number in removed:
        # Out of sight in one step; what is left of a removal that was killed goes with the stale staging folders.
        hidden = pushed / f"{STAGING_PREFIX}{uuid.uuid4().hex}"
        with contextlib.suppress(FileNotFoundError):
            (pushed / str(number)).rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)
    return removed


@contextlib.contextmanager
def locked(pushed: Path) -> Iterator[None]:
    """Waits for others that change what lies here; a process that is killed holds up nobody. Not to be nested."""
    if not pushed.is_dir():
        yield
        return
    with (pushed / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _link(pointer: Path, version: Path | None) -> None:
    if version is None:
        pointer.unlink(missing_ok=True)
        return
    if pointer.is_symlink() and os.readlink(pointer) == version.name:
        return
    draft = pointer.with_name(f".{pointer.name}-{uuid.uuid4().hex}")
    draft.symlink_to(version.name, target_is_directory=True)
    os.replace(draft, pointer)


def _listed(published: list[int], taken_back: list[int]) -> str:
    return ", ".join([*map(str, published), *(f"{number} (withdrawn)" for number in taken_back)]) or "none"
