"""Brings files from object storage in the order in which they are read, a few ahead, and removes them behind.

So a machine can read data that is larger than its disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import shutil
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path, PurePosixPath

from components.object_storage import RemoteFile, RemoteFolder

logger = logging.getLogger(__name__)

AHEAD_FILES = 2  # at most, of each reader
_HOME = ".streamed"  # in the folder that is given
_LOCK = ".lock"


class StreamedFiles:
    """Files of a folder in object storage, each of which is on this machine only while it is read.

    Several readers may read at once: in all, their files take at most `max_bytes`.
    """

    def __init__(self, remote: RemoteFolder, files: Iterable[RemoteFile], folder: Path, max_bytes: int) -> None:
        """Takes files, one or more, as they were listed, and a folder of this process alone."""
        self.url = remote.url
        self.max_bytes = max_bytes
        self.failures: list[Exception] = []  # of fetching: TensorFlow would tell them as errors of its own
        self._remote = remote
        self._files = {PurePosixPath(file.name).name: file for file in files}
        self._folder = folder
        self._pools = set[ThreadPoolExecutor]()  # of the iterators at work
        self._is_closed = False
        self.largest_bytes = max(file.size for file in self._files.values())
        logger.info(
            "%.1f MB in %d files are read from %s as they are needed; at most %.1f MB are on this disk at once",
            sum(file.size for file in self._files.values()) / 1e6,
            len(self._files),
            self.url,
            max_bytes / 1e6,
        )

    def in_turn(self, names: Sequence[str], readers: int = 1) -> Iterator[Path]:
        """Yields where each file is on this machine. It is removed when the next one is asked for, or at the end.

        Raises OSError if one cannot be fetched; ObjectChangedError if it is no longer what was listed.

        Args:
            names: of the files, without folders; a file may come again.
            readers: how many such iterators there are at once.
        """
        ahead = max(min(self.max_bytes // (readers * self.largest_bytes) - 1, AHEAD_FILES), 0)
        home, left = self._folder / uuid.uuid4().hex[:8], enumerate(names)
        pool, fetched = ThreadPoolExecutor(max(ahead, 1), "fetching"), deque[Future[Path]]()
        self._pools.add(pool)  # before the look at `_is_closed`, which `close` sets before it looks at the pools
        try:
            while True:
                if self._is_closed:
                    raise OSError(f"{self.url} is no longer read.")
                due = islice(left, 1 + ahead - len(fetched))
                fetched.extend(pool.submit(self._fetch, name, home / str(place)) for place, name in due)
                if not fetched:
                    return
                path = fetched.popleft().result()
                yield path
                path.unlink()
        except Exception as error:
            self.failures.append(error)
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            self._pools.discard(pool)
            shutil.rmtree(home, ignore_errors=True)

    def close(self) -> None:
        """Fetches nothing more, so that the folder can be removed, whatever iterators TensorFlow still has."""
        self._is_closed = True
        for pool in list(self._pools):
            pool.shutdown(cancel_futures=True)

    def _fetch(self, name: str, folder: Path) -> Path:
        if name not in self._files:
            raise OSError(f"{self.url} has no {name}, which is one of the files of the data.")
        file = self._files[name]
        self._remote.fetch([file], folder)
        return folder / file.name


@contextlib.contextmanager
def folder_of_process(root: Path) -> Iterator[Path]:
    """Makes a folder for this process alone, and removes it at the end, as well as those of processes that were killed.

    On a disk without locks, the latter stay.
    """
    home = root / _HOME
    home.mkdir(parents=True, exist_ok=True)
    for other in home.glob("[!.]*"):
        with contextlib.suppress(OSError), (other / _LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(other)
    name = uuid.uuid4().hex[:8]
    draft, folder = home / f".{name}", home / name
    draft.mkdir()
    with (draft / _LOCK).open("w") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        draft.rename(folder)  # it is seen only with its lock
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
