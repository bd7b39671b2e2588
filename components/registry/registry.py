"""Opens the published versions of a pipeline root for whoever publishes, withdraws, pins or serves them.

What is only read of them (numbers, cards, provenance) lies in the folder, also where the root is in object storage:
see `components.registry.versions`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from components.registry import pointers
from components.registry.layout import pushed_folder
from components.registry.signature import ensure_signed
from components.registry.staging import find_version, publish

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey


class Unfinished(NamedTuple):
    """What a push that was killed has left under a number."""

    number: int
    byte_count: int


class Registry:
    """The published versions of a root in a folder. Methods raise OSError if it cannot be read or written."""

    is_copy = False  # whether the folder is a copy of what is in object storage

    def __init__(self, root: Path) -> None:
        self.folder = pushed_folder(root)

    @property
    def place(self) -> str:
        """Where the versions are, in words for people."""
        return str(self.folder)

    def refresh(self) -> None:
        """Makes the folder say which versions there are now. A folder that is no copy says it already."""

    def require_place(self) -> None:
        """Raises OSError if the place cannot be there, as a bucket of that name is not. A folder may come later."""

    def fetch(self, version: Path) -> Path:
        """Returns the folder of a version, with all of its files. A folder that is no copy has them already."""
        return version

    def fetch_model(self, version: Path) -> Path:
        """Returns the folder of a version, with what TensorFlow loads: without the files for phones, for one."""
        return version

    def has(self, version: Path) -> bool:
        """Returns whether the folder is that of a published version, which has all of its files."""
        return version.is_dir()

    def find(self, identity: str) -> Path | None:
        """Returns the version that was published with this identity, if all of its files are there; else None."""
        return find_version(self.folder, identity)

    def publish(self, staging: Path, identity: str) -> Path:
        """Gives a staged folder the next free number, unless a version of this identity is there already."""
        return publish(staging, self.folder, identity)

    def ensure_signed(self, version: Path, key: EllipticCurvePrivateKey) -> None:
        """Signs a version with this key, unless it is signed with it."""
        ensure_signed(version, key)

    def finish_push(self, keep: int | None) -> None:
        """Sets `latest` and `best` after a push, and then removes old versions; keeps all if `keep` is None."""
        pointers.finish_push(self.folder, keep)

    def roll_back(self, version: int | None = None) -> int:
        """Makes `version`, or else the one before the latest, the latest again, and returns its number.

        Newer versions are withdrawn; a version that was withdrawn before comes back. Raises ComponentError if there is
        no such version.
        """
        return pointers.roll_back(self.folder, version)

    def pin(self, version: int) -> None:
        """Keeps a version until it is unpinned. Raises ComponentError if there is no version of that number."""
        pointers.pin(self.folder, version)

    def unpin(self, version: int) -> None:
        """Lets later pushes remove a version. Raises ComponentError if it is not pinned."""
        pointers.unpin(self.folder, version)

    def unfinished(self, idle_since: float) -> list[Unfinished]:
        """Returns what killed pushes have left, if nothing was written there since, in seconds since 1970.

        In a folder it is none: the next push removes its staging folder.
        """
        return []

    def remove_unfinished(self, number: int) -> None:
        """Removes what a killed push has left under a number, unless it is a version by now."""


def open_registry(root: Path, url: str = "") -> Registry:
    """Returns the registry of the root at `url`, of which `root` is the local copy; without a URL, that of `root`."""
    if not url:
        return Registry(root)
    from components.registry.remote_registry import RemoteRegistry

    return RemoteRegistry(root, url)
