"""Says where this machine keeps copies of what lies in object storage; those of data are named by what they hold.

    CACHE/ADDRESS/DIGEST/NAME        a whole copy of a folder of data: it appears in one step, and is never changed
    CACHE/ADDRESS/DIGEST/.used_by/   the pipeline roots that use it, a file for each
    CACHE/ADDRESS/DIGEST.making/     what a process at work, or one that was killed, has of it
    CACHE/ADDRESS/DIGEST.part/       the files of it that the scans of this machine needed
    CACHE/ADDRESS/.url               the URL
    CACHE/ADDRESS/NAME               what is kept up to date instead: a pipeline root

ADDRESS stands for the URL, DIGEST for the names, sizes and times of the objects. What is there can be deleted at any
time between runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import posixpath
import re
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from components.component import ComponentError
from components.files import NO_LINKS, lock, write_whole
from components.home import expand_home
from components.object_storage import RemoteFile, RemoteFolder, no_file_reason
from components.storage_requests import ObjectChangedError

_DIGITS = 16
_OF_COPY = re.compile(r"[0-9a-f]{16}(\.(making|part|damaged-\w+))?")
_LOCK = ".lock"
_USERS = ".used_by"
_URL = ".url"
_POLL_SECONDS = 0.5


def local_copy(url: str) -> Path:
    """Returns the folder for what is kept up to date of `url`: below $PIPELINE_CACHE_DIR, or else the user's cache.

    Raises ComponentError if neither is set and the user has no home folder.
    """
    digest = hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:12]
    return _caches() / digest / posixpath.basename(url.rstrip("/"))


def _caches() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "image_classifier_pipeline")
    return expand_home(os.environ.get("PIPELINE_CACHE_DIR") or default, "PIPELINE_CACHE_DIR")


class DataCopy(NamedTuple):
    """The copy of one state of a folder of data."""

    url: str
    digest: str  # of the state; its first digits name the copy

    @classmethod
    def at(cls, url: str, place: Path) -> DataCopy:
        """Returns the copy of `url` that this machine, or another one, has at `place`."""
        return cls(url, place.parent.name)

    @classmethod
    def of(cls, place: Path) -> DataCopy | None:
        """Returns the copy of which `place` is the folder; None if it is no copy, or an earlier version made it."""
        try:
            url = (place.parents[1] / _URL).read_text(encoding="utf-8")
        except (OSError, IndexError):
            return None
        copy = cls.at(url, place)
        return copy if copy.folder == place else None

    @classmethod
    def named(cls, reference: str) -> DataCopy:
        """Returns the copy that another one's `reference` names."""
        url, _, digest = reference.rpartition("#")
        return cls(url, digest)

    @property
    def reference(self) -> str:
        """What names the copy on any machine: `s3://BUCKET/photos#0123456789abcdef`."""
        return f"{self.url}#{self.digest[:_DIGITS]}"

    @property
    def folder(self) -> Path:
        """Where it is, whole, or will be."""
        return self._beside("")

    @property
    def part(self) -> Path:
        """Where single files of it may be put, each whole or not at all."""
        return self._beside(".part")

    @property
    def making(self) -> Path:
        """Where whoever holds `alone` makes it."""
        return self._beside(".making")

    def _beside(self, suffix: str) -> Path:
        kept = local_copy(self.url)
        return kept.parent / f"{self.digest[:_DIGITS]}{suffix}" / kept.name

    @contextlib.contextmanager
    def alone(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Keeps others of this machine from making copies of the URL. `waiting` is called now and then until then."""
        home = self.folder.parents[1]
        home.mkdir(parents=True, exist_ok=True)
        with (home / _LOCK).open("a") as file:
            while True:
                try:
                    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    waiting()
                    time.sleep(_POLL_SECONDS)
            yield

    def finish(self) -> None:
        """Puts the copy from `making` into its place, in one step, unless it is there already."""
        try:
            os.rename(self.making.parent, self.folder.parent)
        except OSError:  # on a disk without locks, another process was faster
            if not self.folder.is_dir():
                raise
            shutil.rmtree(self.making.parent, ignore_errors=True)

    def set_aside(self) -> None:
        """Takes a copy that was damaged out of its place. Its whole files are taken for the next one."""
        aside = f"{self.folder.parent}.damaged-{uuid.uuid4().hex[:8]}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.folder.parent, aside)
        shutil.rmtree(f"{aside}/{_USERS}", ignore_errors=True)

    def use(self, root: Path) -> None:
        """Notes that a pipeline root uses the copy, if it is there: the clean-up of another root leaves it alone."""
        if self.folder.is_dir():
            with contextlib.suppress(OSError):  # a disk that is read only: nobody cleans it up
                _user(self.folder.parent, root).parent.mkdir(exist_ok=True)
                write_whole(_user(self.folder.parent, root), str(root.absolute()))
                os.utime(self.folder.parent)
                if not (note := self.folder.parents[1] / _URL).exists():
                    write_whole(note, self.url)


def is_same(path: str | Path, file: RemoteFile) -> bool:
    """Returns whether a file is there, with the size and the time that the storage gives."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (file.size, file.modified_ns)


def missing_files(folder: Path, files: Iterable[RemoteFile]) -> Iterator[RemoteFile]:
    """Yields those of the files that the folder does not have."""
    return (file for file in files if not is_same(f"{folder}/{file.name}", file))


def fetch_files(
    url: str, files: Iterable[RemoteFile], target: Path, done: Callable[[RemoteFile], None] = lambda file: None
) -> None:
    """Fetches files as they were listed. Raises ComponentError if one has changed since."""
    try:
        RemoteFolder(url).fetch(files, target, done)
    except ObjectChangedError as error:
        raise ComponentError(f"{error}. Run again once nobody writes to {url}") from error


def share_files(url: str, files: Iterable[RemoteFile], target: Path) -> None:
    """Makes `target` have those of the files that a copy of `url` has, in whichever state: nothing is fetched."""
    kept = local_copy(url)
    copies = sorted(_copies(kept.parent), key=_changed, reverse=True) if kept.parent.is_dir() else []
    for file in missing_files(target, files) if copies else ():
        path = target / file.name
        for copy in copies:
            if is_same(source := copy / kept.name / file.name, file):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
                with contextlib.suppress(FileNotFoundError):  # the clean-up may have removed it just now
                    link_or_copy(source, path)
                break


def possible_files(files: Iterable[RemoteFile]) -> list[RemoteFile]:
    """Returns the files that a folder can hold: none whose name no file can have, or is that of a folder of others."""
    possible = [file for file in files if no_file_reason(file.name) is None]
    folders = {str(folder) for file in possible for folder in PurePosixPath(file.name).parents}
    return [file for file in possible if file.name not in folders]


def link_or_copy(source: Path, target: Path) -> None:
    """Makes `target` the same file as `source`, or a copy with its time on a disk without hard links."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copy2(source, target)


def unused_copies(root: Path, needed: Collection[Path], idle_since: float) -> Iterator[Path]:
    """Yields the folders of copies that no other root uses and `root` no longer needs, and what killed processes left.

    Of each URL the copy that `root` used last stays, as the next one is made from it; so does what `needed` names, and
    what was used since `idle_since`, in seconds since 1970.
    """
    try:
        caches = _caches()
    except ComponentError:  # no home folder, and so no copies
        return
    for home in sorted(each for each in caches.glob("*") if each.is_dir()):
        copies = sorted(_copies(home), key=_changed)
        ours = [copy for copy in copies if _user(copy, root).exists()]
        kept = {*ours[-1:], *(copy for copy in copies if any(place.is_relative_to(copy) for place in needed))}
        for copy in copies:
            if copy not in kept and _changed(copy) < idle_since and not _other_users(copy, root):
                yield copy


def _other_users(copy: Path, root: Path) -> bool:
    users = [Path(each.read_text(encoding="utf-8")) for each in (copy / _USERS).glob("[!.]*")]
    return any(user != root.absolute() and user.is_dir() for user in users)


def _copies(home: Path) -> list[Path]:
    return [each for each in home.iterdir() if _OF_COPY.fullmatch(each.name) and each.is_dir()]


def _user(copy: Path, root: Path) -> Path:
    return copy / _USERS / hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:12]


def _changed(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:  # another process has removed it
        return 0.0
