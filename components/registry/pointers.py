"""Manages what lies in `pushed/` beside the versions: the links `latest` and `best`, pins, and withdrawn versions.

A link is replaced in one step, and a version moves in one step. A process that changes several of them holds a lock.
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
from components.files import NO_LINKS, lock
from components.registry.layout import BEST, LATEST, LOCK, PINNED, PROVENANCE, STAGING_PREFIX, WITHDRAWN
from components.registry.versions import best_version, latest_version, numbers


def update_pointers(pushed: Path, newest: float = math.inf) -> None:
    """Sets the links `latest` and `best`, as if there were no version above the number `newest`."""
    best = best_version(pushed, newest=newest)
    _link(pushed / LATEST, latest_version(pushed, newest))
    _link(pushed / BEST, best.folder if best else None)


def finish_push(pushed: Path, keep: int | None) -> None:
    """Sets the links after a push, and then prunes old versions; keeps all of them if `keep` is None."""
    with locked(pushed):
        update_pointers(pushed)  # before the versions that they pointed to are removed
        if keep is not None:
            prune(pushed, keep)


def withdrawn(pushed: Path) -> list[int]:
    """Returns the numbers of the withdrawn versions, ascending."""
    return numbers(pushed / WITHDRAWN)


def roll_back(pushed: Path, version: int | None = None) -> int:
    """Makes `version`, or else the one before the latest, the latest again, and returns its number.

    Newer versions are withdrawn; a version that was withdrawn before comes back. Raises ComponentError if there is no
    such version.
    """
    with locked(pushed):
        version = rollback_target(pushed, version, str(pushed))
        published = numbers(pushed)
        if version not in published:
            (pushed / WITHDRAWN / str(version)).rename(pushed / str(version))
        update_pointers(pushed, newest=version)  # before the versions that they point to are moved
        # Ascending: a server loads the highest number, and so sees only the last move.
        for newer in [number for number in published if number > version]:
            (pushed / WITHDRAWN).mkdir(exist_ok=True)
            (pushed / str(newer)).rename(pushed / WITHDRAWN / str(newer))
        return version


def rollback_target(pushed: Path, version: int | None, place: str) -> int:
    """Returns the number of the version to roll back to: `version`, or else the one before the latest.

    Raises ComponentError, which says what is there at `place`, if there is no such version.
    """
    published, taken_back = numbers(pushed), withdrawn(pushed)
    if version is None:
        if len(published) < 2:
            raise ComponentError(f"{place} has {len(published)} version(s): none to go back to.")
        return published[-2]
    if version not in published + taken_back:
        raise ComponentError(f"There is no version {version} in {place}. There: {_listed(published, taken_back)}.")
    return version


def pins(pushed: Path) -> list[int]:
    """Returns the numbers of the pinned versions, which are never cleaned up, ascending."""
    return numbers(pushed / PINNED)


def pin(pushed: Path, version: int) -> None:
    """Keeps a version until it is unpinned. Raises ComponentError if there is no version of that number."""
    with locked(pushed):
        require_published(pushed, version, str(pushed))
        (pushed / PINNED).mkdir(exist_ok=True)
        (pushed / PINNED / str(version)).touch()


def unpin(pushed: Path, version: int) -> None:
    """Lets later pushes remove a version. Raises ComponentError if it is not pinned."""
    with locked(pushed):
        require_pinned(pushed, version)
        (pushed / PINNED / str(version)).unlink()


def require_published(pushed: Path, version: int, place: str) -> None:
    """Raises ComponentError, which says what is there at `place`, if there is no version of that number."""
    if version not in numbers(pushed):
        raise ComponentError(f"There is no version {version} in {place}. There: {_listed(numbers(pushed), [])}.")


def require_pinned(pushed: Path, version: int) -> None:
    """Raises ComponentError if a version is not pinned."""
    if version not in pins(pushed):
        raise ComponentError(f"Version {version} is not pinned. Pinned: {_listed(pins(pushed), [])}.")


def prune(pushed: Path, keep: int) -> list[int]:
    """Removes all versions but the newest `keep`, the pinned ones and the best one. Returns the removed numbers."""
    removed = beyond(pushed, keep)
    for number in removed:
        remove_folder(pushed, pushed / str(number))
    return removed


def beyond(pushed: Path, keep: int) -> list[int]:
    """Returns the numbers of all versions but the newest `keep`, the pinned ones and the best one."""
    best = best_version(pushed)
    spared = {*numbers(pushed)[-keep:], *pins(pushed), *([best.number] if best else [])}
    return [number for number in numbers(pushed) if number not in spared]


def remove_folder(pushed: Path, folder: Path) -> None:
    """Removes a folder of `pushed`, which vanishes in one step.

    If the removal is killed, the rest is removed with the stale staging folders.
    """
    hidden = pushed / f"{STAGING_PREFIX}{uuid.uuid4().hex}"
    with contextlib.suppress(FileNotFoundError):
        folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


@contextlib.contextmanager
def locked(pushed: Path) -> Iterator[None]:
    """Waits for other processes that change `pushed`, and keeps them out meanwhile.

    A killed process blocks nobody. The lock must not be nested.
    """
    if not pushed.is_dir():
        yield
        return
    with (pushed / LOCK).open("a") as file:
        lock(file, fcntl.LOCK_EX)
        yield


def _link(pointer: Path, version: Path | None) -> None:
    if version is None:
        pointer.unlink(missing_ok=True)
        return
    if pointer.is_symlink() and os.readlink(pointer) == version.name:
        return
    draft = pointer.with_name(f".{pointer.name}-{uuid.uuid4().hex}")
    try:
        draft.symlink_to(version.name, target_is_directory=True)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        draft.write_text(f"{version.name}\n", encoding="ascii")  # a file that names the version, for people
    if not pointer.is_symlink() and (pointer / PROVENANCE).is_file():
        # A version that a copy of the root has in place of the link: `cp -rL` follows links.
        remove_folder(pointer.parent, pointer)
    os.replace(draft, pointer)


def _listed(published: list[int], taken_back: list[int]) -> str:
    return ", ".join([*map(str, published), *(f"{number} (withdrawn)" for number in taken_back)]) or "none"
