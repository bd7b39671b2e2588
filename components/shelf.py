"""What lies in `pushed/` beside the versions: pointers, pins, and versions that were taken back.

<pushed>/latest                a link to the highest version
<pushed>/best                  a link to the version of the highest accuracy, of those with the latest one's classes
<pushed>/pinned/<version>      an empty file: this version is kept whatever comes
<pushed>/withdrawn/<version>/  a version that was taken back: who watches the folder no longer sees it

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

from components.component import Refusal
from components.published import best_version, latest_version, numbers


def point(pushed: Path, newest: float = math.inf) -> None:
    """Sets `latest` and `best` to what they should be, as if nothing newer than `newest` were there."""
    best = best_version(pushed, newest=newest)
    _link(pushed / "latest", latest_version(pushed, newest))
    _link(pushed / "best", best.folder if best else None)


def settle(pushed: Path, keep: int | None) -> None:
    """After a push: the pointers, and then what no longer stays; all of it does if `keep` is None."""
    with alone(pushed):
        point(pushed)  # before what they led to goes
        if keep is not None:
            clear(pushed, keep)


def withdrawn(pushed: Path) -> list[int]:
    """The versions that were taken back, ascending."""
    return numbers(pushed / "withdrawn")


def roll_back(pushed: Path, version: int | None = None) -> int:
    """Makes `version`, or the one before the latest, the latest again; returns its number.

    What is newer is withdrawn; a version that was withdrawn before comes back. Raises Refusal where there is none.
    """
    with alone(pushed):
        published, taken_back = numbers(pushed), withdrawn(pushed)
        if version is None:
            if len(published) < 2:
                raise Refusal(f"{pushed} has {len(published)} version(s): none to go back to.")
            version = published[-2]
        if version not in published + taken_back:
            raise Refusal(f"There is no version {version} in {pushed}. There: {_listed(published, taken_back)}.")
        if version in taken_back:
            (pushed / "withdrawn" / str(version)).rename(pushed / str(version))
        point(pushed, newest=version)  # before what they lead to goes
        for newer in [number for number in published if number > version]:  # a server sees no change but the last
            (pushed / "withdrawn").mkdir(exist_ok=True)
            (pushed / str(newer)).rename(pushed / "withdrawn" / str(newer))
        return version


def pins(pushed: Path) -> list[int]:
    """The versions that are kept whatever comes, ascending."""
    return numbers(pushed / "pinned")


def pin(pushed: Path, version: int) -> None:
    """Keeps a version for good. Raises Refusal where there is none of that number."""
    if version not in numbers(pushed):
        raise Refusal(f"There is no version {version} in {pushed}. There: {_listed(numbers(pushed), [])}.")
    (pushed / "pinned").mkdir(exist_ok=True)
    (pushed / "pinned" / str(version)).touch()


def unpin(pushed: Path, version: int) -> None:
    """Lets a version go when its time comes. Raises Refusal if it is not pinned."""
    try:
        (pushed / "pinned" / str(version)).unlink()
    except FileNotFoundError as error:
        raise Refusal(f"Version {version} is not pinned. Pinned: {_listed(pins(pushed), [])}.") from error


def clear(pushed: Path, keep: int) -> list[int]:
    """Removes all but the newest `keep` versions, those that are pinned and the best one; returns what it removed."""
    best = best_version(pushed)
    spared = {*numbers(pushed)[-keep:], *pins(pushed), *([best.number] if best else [])}
    removed = [number for number in numbers(pushed) if number not in spared]
    for number in removed:
        # Out of sight in one step; what is left of a removal that was killed goes with the stale staging folders.
        hidden = pushed / f".staging-{uuid.uuid4().hex}"
        with contextlib.suppress(FileNotFoundError):
            (pushed / str(number)).rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)
    return removed


@contextlib.contextmanager
def alone(pushed: Path) -> Iterator[None]:
    """Waits for others that change what lies here; a process that is killed holds up nobody. Not to be nested."""
    if not pushed.is_dir():
        yield
        return
    with (pushed / ".lock").open("a") as lock:
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
