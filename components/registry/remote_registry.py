"""The published versions of a root in object storage, with a folder on this machine that is a copy of what is needed.

The folder looks like that of any root, but only the documents of a version are in it until somebody asks for all of its
files. Numbers are claimed, and pointers changed, by conditional writes, so that machines may publish at once.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from components.look_again import look_again
from components.object_storage import RemoteFolder
from components.registry import layout, pointers
from components.registry.listing import Listing
from components.registry.pointers import locked
from components.registry.registry import Registry, Unfinished
from components.registry.remote_copy import copy_documents, fetch_files
from components.registry.signature import ensure_signed
from components.registry.staging import find_provenance, parse_provenance
from components.registry.versions import best_version, latest_version, numbers

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

MARK = b"\n"  # an object that says all by being there


class RemoteRegistry(Registry):
    """The published versions below one URL. Methods raise OSError if the storage cannot be reached."""

    is_copy = True

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root)
        self._remote = RemoteFolder(url).folder(layout.PUSHED)
        self._known: Listing | None = None

    @property
    def place(self) -> str:
        """The URL of the versions."""
        return self._remote.url

    def refresh(self) -> None:
        """See `Registry`. It fetches the documents of new versions."""
        self._look()

    def require_place(self) -> None:
        """Raises OSError if nothing is published, and there is no such bucket."""
        if not self._listing.files:
            self._remote.require_existing_bucket()

    def fetch(self, version: Path) -> Path:
        """See `Registry`. It fetches the files that the folder lacks; raises OSError if they are damaged or gone."""
        return self._fetch(version, "")

    def fetch_model(self, version: Path) -> Path:
        """Fetches as `fetch` does, but not what lies in `assets.extra/`."""
        return self._fetch(version, f"{layout.EXTRA}/")

    def _fetch(self, version: Path, without: str) -> Path:
        if not (version / layout.PROVENANCE).exists():
            self._look()
        with locked(self.folder):
            fetch_files(self._remote, version, without)
        return version

    def has(self, version: Path) -> bool:
        """Returns whether the folder is that of a published version, of which the storage has all files."""
        return self._has(version, self._listing) or self._has(version, self._look())  # published since the last look?

    @staticmethod
    def _has(version: Path, listing: Listing) -> bool:
        number, recorded = int(version.name), find_provenance(version).get("files")
        return recorded is not None and number not in listing.withdrawn and listing.has_all(number, recorded)

    def find(self, identity: str) -> Path | None:
        """Returns the version that was published with this identity, if the storage has all of its files; else None."""
        for version in (self.folder / str(number) for number in reversed(numbers(self.folder))):
            if find_provenance(version).get("identity") == identity and self._has(version, self._listing):
                return version
        return None

    def publish(self, staging: Path, identity: str) -> Path:
        """Uploads a staged folder under a number of its own, unless a version of this identity is there already.

        The provenance comes last and makes it a version. Before that, the identity is claimed, with the provenance in
        the claim: of two machines that publish the same at once, one drops its upload, and finishes that of the other
        one if need be. So it does not matter whether the other one is slow, or was killed.
        """
        self._look()
        if (existing := self.find(identity)) is not None:
            return existing
        number = self._claim_number()
        names = [path.relative_to(staging).as_posix() for path in staging.rglob("*") if path.is_file()]
        self._remote.folder(str(number)).upload(staging, [name for name in names if name != layout.PROVENANCE])
        provenance = (staging / layout.PROVENANCE).read_bytes()
        if (existing := self._claim_identity(identity, number, provenance)) is not None:
            self._remove(number)
            return existing
        if not self._remote.create(f"{number}/{layout.PROVENANCE}", provenance):
            raise OSError(f"{self.place}/{number} was published by another machine meanwhile")
        version = self.folder / str(number)
        with locked(self.folder):
            pointers.remove_folder(self.folder, version)  # what a copy of an earlier bucket has left
            staging.rename(version)
        if not self._look().has_all(number, parse_provenance(provenance)["files"]):
            self._remove(number)
            raise OSError(f"{self.place}/{number} has lost objects while it was published, to a clean-up? Run again")
        return version

    def ensure_signed(self, version: Path, key: EllipticCurvePrivateKey) -> None:
        """Signs a version with this key, unless it is signed with it."""
        signature = version / layout.SIGNATURE
        before = signature.read_bytes() if signature.exists() else None
        ensure_signed(version, key)
        if (data := signature.read_bytes()) != before:
            self._remote.write(f"{version.name}/{layout.SIGNATURE}", data)

    def finish_push(self, keep: int | None) -> None:
        """See `Registry`."""
        self._point()
        removed = [] if keep is None else pointers.beyond(self.folder, keep)
        for number in removed:
            self._remove(number)
        if removed:
            self._look()

    def roll_back(self, version: int | None = None) -> int:
        """See `Registry`. If it is killed, the same call goes on."""
        self._look()
        version = pointers.rollback_target(self.folder, version, self.place)
        published = numbers(self.folder)
        if version not in published:
            self._remote.remove_files([f"{layout.WITHDRAWN}/{version}"])
        for newer in [number for number in published if number > version]:
            self._remote.create(f"{layout.WITHDRAWN}/{newer}", MARK)
        self._point()
        return version

    def pin(self, version: int) -> None:
        """See `Registry`."""
        self._look()
        pointers.require_published(self.folder, version, self.place)
        self._remote.create(f"{layout.PINNED}/{version}", MARK)
        self._look()
        pointers.require_published(self.folder, version, self.place)  # a push may have removed it meanwhile

    def unpin(self, version: int) -> None:
        """See `Registry`."""
        self._look()
        pointers.require_pinned(self.folder, version)
        self._remote.remove_files([f"{layout.PINNED}/{version}"])
        self._look()

    def unfinished(self, idle_since: float) -> list[Unfinished]:
        """Returns what killed pushes have left, if nothing was written there since, in seconds since 1970."""
        return [
            Unfinished(number, sum(file.size for file in files))
            for number, files in self._look().unfinished.items()
            if max(file.modified_ns for file in files) < idle_since * 1e9
        ]

    def remove_unfinished(self, number: int) -> None:
        """Removes what a killed push has left under a number, unless it is a version by now."""
        if self._remote.read(f"{number}/{layout.PROVENANCE}") is None:
            self._remove(number)

    @property
    def _listing(self) -> Listing:
        return self._known or self._look()

    def _look(self) -> Listing:
        """Lists the storage, and brings the folder up to date; what changes meanwhile is looked at again."""
        self._known = look_again(self._look_once)
        return self._known

    def _look_once(self) -> Listing:
        listing = Listing(self._remote.iter_files())
        if listing.files:
            self.folder.mkdir(parents=True, exist_ok=True)
        if self.folder.is_dir():
            with locked(self.folder):
                copy_documents(self._remote, self.folder, listing)
        return listing

    def _claim_number(self) -> int:
        number, claim = self._listing.next_number, uuid.uuid4().hex.encode()
        while not self._remote.create(f"{layout.CLAIMS}/{number}", claim):
            number += 1
        return number

    def _claim_identity(self, identity: str, number: int, provenance: bytes) -> Path | None:
        """Returns the version that another machine has published of this identity, or None once it is claimed.

        A claim of a version that was removed or has lost files is taken over.
        """
        name, ours = f"{layout.IDENTITIES}/{identity}", f"{number}\n".encode() + provenance
        while not self._remote.create(name, ours):
            holder = self._remote.read(name) or b""
            self._finish(holder)
            if (existing := self.find(identity)) is not None:
                return existing
            self._remote.update(name, functools.partial(_replaced, holder, ours))
        return None

    def _finish(self, claim: bytes) -> None:
        """Takes the last step of another machine, if all files of its version are there, and looks at what is there."""
        first, _, provenance = claim.partition(b"\n")
        number, listing = layout.version_number(first.decode("ascii", "replace")), self._look()
        if number is not None and listing.lacks_only_provenance(number, provenance):
            self._remote.create(f"{number}/{layout.PROVENANCE}", provenance)
            self._look()

    def _point(self) -> None:
        """Sets `latest` and `best`, each in one step: whoever is later has seen what the other one published."""
        for name, find in ((layout.LATEST, latest_version), (layout.BEST, _best)):
            self._remote.update(name, functools.partial(self._pointer, find))

    def _pointer(self, find: Callable[[Path], Path | None], there: bytes) -> bytes:
        self._look()
        version = find(self.folder)
        return there if version is None else f"{version.name}\n".encode()

    def _remove(self, number: int) -> None:
        """Removes all objects of a number; the provenance first, so that nobody takes the rest for a version."""
        objects = [file.name for file in Listing(self._remote.iter_files()).objects(number)]
        document = f"{number}/{layout.PROVENANCE}"
        self._remote.remove_files([document])
        self._remote.remove_files([name for name in objects if name != document])


def _best(pushed: Path) -> Path | None:
    best = best_version(pushed)
    return None if best is None else best.folder


def _replaced(old: bytes, new: bytes, there: bytes) -> bytes:
    return new if there == old else there
