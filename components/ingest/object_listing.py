"""Lists the objects of a folder of data: which of them are read, and the digest that names their state.

A listing has the names as one block and two numbers for each object: 46 bytes for a name of 30, where a list of
`RemoteFile` takes 250.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator

from components.ingest.litter import is_litter_path, no_image_kind
from components.ingest.photo_tree import Files
from components.ingest.sources import PREPARED
from components.object_storage import RemoteFile, no_file_reason

_IN_A_FOLDERS_PLACE = "the name of a folder of others"


class StateDigest:
    """The SHA-256 over the name, size and time of each object that is read, which may be added a few at a time."""

    def __init__(self, manifest: str = "") -> None:
        self.is_prepared = False
        self._manifest = manifest
        self._of_all, self._of_photos = hashlib.sha256(), hashlib.sha256()
        self._count = 0

    @classmethod
    def of(cls, files: Iterable[RemoteFile], manifest: str = "") -> StateDigest:
        """Returns the digest of all these objects. None of them is held in memory."""
        state = cls(manifest)
        for file in files:
            state.add(file)
        return state

    def add(self, file: RemoteFile) -> bool:
        """Adds the next object by name. Returns False for litter, which never counts."""
        if is_litter_path(file.name):
            return False
        line = b"%s\0%d\0%d\n" % (file.name.encode(), file.size, file.modified_ns)
        self._of_all.update(line)
        self.is_prepared = self.is_prepared or file.name.rpartition("/")[2] == PREPARED
        if self.counts_as_photo(file.name):
            self._of_photos.update(line)
        self._count += 1
        return True

    def counts_as_photo(self, name: str) -> bool:
        """Returns whether an object is read in a folder of photos: the manifest, and all that may be an image."""
        return name == self._manifest or not no_image_kind(name)

    def hexdigest(self) -> str:
        """Returns the digest; of no objects at all it is empty."""
        return (self._of_all if self.is_prepared else self._of_photos).hexdigest() if self._count else ""


class Listing:
    """The objects that are read, sorted by name: the manifest, and neither litter nor, beside photos, what is no image.

    Those whose names no file can have are listed in `left_out`, and are none of them.
    """

    def __init__(self, files: Iterable[RemoteFile], manifest: str = "") -> None:
        state = StateDigest(manifest)
        left_out: list[tuple[str, str]] = []
        self._sizes, self._stamps = array("q"), array("q")
        self._folders: set[str] = set()
        self._names = Files.of("", self._noted(files, state, left_out))
        self._state = state
        self.left_out = left_out
        self.digest = state.hexdigest()
        self.left_out += [(name, _IN_A_FOLDERS_PLACE) for name in self._names if name in self._folders]

    def _noted(self, files: Iterable[RemoteFile], state: StateDigest, left_out: list[tuple[str, str]]) -> Iterator[str]:
        """Yields the names of objects that may be read, and notes what else the listing says of them."""
        for file in files:
            if not state.add(file):
                continue
            if reason := no_file_reason(file.name):
                left_out.append((file.name, reason))
                continue
            self._sizes.append(file.size)
            self._stamps.append(file.modified_ns)
            self._add_folders(file.name)
            yield file.name

    def _add_folders(self, name: str) -> None:
        folder = name.rpartition("/")[0]
        while folder and folder not in self._folders:
            self._folders.add(folder)
            folder = folder.rpartition("/")[0]

    def __iter__(self) -> Iterator[RemoteFile]:
        for file in map(RemoteFile, self._names, self._sizes, self._stamps):
            if file.name not in self._folders and (self._state.is_prepared or self._state.counts_as_photo(file.name)):
                yield file

    def why_left_out(self) -> str:
        """Returns in words how many objects cannot be copied, and why."""
        first = repr(self.left_out[0][0])
        reasons = Counter(reason for _, reason in self.left_out)
        counted = ", ".join(f"{count} with {reason}" for reason, count in reasons.items())
        return f"no file can have the names of {len(self.left_out)} objects, such as {first}: {counted}"
