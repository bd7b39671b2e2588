"""The artifact store in object storage, with a local folder in which components read and write.

The local folder has the layout of any root, but is only a copy: what counts is in the storage. A manifest is looked up
there each time. A payload is fetched when it is first needed, and checked against its digest. A commit uploads the
payload, then the manifest: an interrupted upload leaves no manifest.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from components.artifacts import LOGS, AnyArtifact
from components.files import write_whole
from components.object_storage import RemoteFile, RemoteFolder
from components.registry.layout import PROVENANCE, PUSHED
from pipeline.store.folder_digest import digest_folder
from pipeline.store.local_store import Attempt, Store
from pipeline.store.manifest import MANIFEST, Identity, Manifest

UPLOAD_INTERVAL_SECONDS = 10.0  # at least, between two uploads
LOOKING_SECONDS = 0.5
VERSION_DOCUMENT = PROVENANCE  # lists all other files of a version; it is uploaded last and makes it a version

logger = logging.getLogger(__name__)


class RemoteStore(Store):
    """The store of all artifacts below one URL. Several machines may use it at once.

    Methods raise OSError if the storage cannot be reached.
    """

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root)
        self.url = url
        self._remote = RemoteFolder(url)

    def find(self, component: str, key: str) -> Manifest | None:
        """Returns the manifest under this key as the storage has it now, or None if the artifact is not complete."""
        self._fetch_manifest(f"{component}/{key}/{MANIFEST}")
        return super().find(component, key)

    def faults(self, manifest: Manifest) -> list[str]:
        """Returns what is gone or cut short: in the storage, or on this machine if it lies outside the root."""
        gone = [self.root / place for place in _inside(manifest) if not self._remote.files(place)]
        gone += [
            path for place in manifest.places.values() if os.path.isabs(place) and not (path := Path(place)).exists()
        ]
        if gone:
            return [f"gone: {path}" for path in gone]
        logs = f"{manifest.folder}/{LOGS}/"
        files = [file for file in self._remote.files(manifest.folder) if not file.name.startswith(logs)]
        return self._damage(manifest, [file.size for file in files])

    def manifests(self, component: str = "*") -> Iterator[Manifest]:
        """Yields every manifest of one component, or of all components, as the storage has it now."""
        listed = self._remote.files("" if component == "*" else component)
        names = [file.name for file in listed if file.name.count("/") == 2 and file.name.endswith(f"/{MANIFEST}")]
        for name in names:
            self._fetch_manifest(name)
            if (manifest := self._read(self.root / name)) is not None:
                yield manifest

    def load(self, manifest: Manifest, artifact: type[AnyArtifact]) -> AnyArtifact:
        """Returns the artifact that the manifest describes; fetches it if needed. Raises OSError if it is damaged."""
        self.fetch(manifest)
        return super().load(manifest, artifact)

    def fetch(self, manifest: Manifest) -> None:
        """Fetches the artifact's files that are not on this machine. Raises OSError if they are damaged."""
        self._fetch_folder(manifest.folder, manifest.digest)
        for place in _inside(manifest):
            self._fetch_folder(place)

    def fetch_shared(self, run_id: str | None) -> None:
        """Fetches the published versions, the small files beside them, and the record of a run (of all runs if "")."""
        if run_id is not None:
            self._fetch_files(self._remote.files(f"runs/{run_id}".rstrip("/")))
        files = self._remote.files(PUSHED)
        versions = [f.name.removesuffix(f"/{VERSION_DOCUMENT}") for f in files if f.name.endswith(VERSION_DOCUMENT)]
        for version in versions:
            self._fetch_folder(version)
        self._fetch_files([file for file in files if file.name.count("/") == 1])

    def open_attempt(self, identity: Identity, name: str | None = None) -> Attempt:
        """Creates the folders of an attempt, and fetches what attempts on other machines left in the scratch folder."""
        self.fetch_shared(None)
        attempt = super().open_attempt(identity, name)
        self._fetch_files(self._remote.files(self._name(attempt.scratch)))
        return attempt

    def upload(self, place: Path) -> None:
        """Uploads a file, or all files below a folder except drafts."""
        paths = [place] if place.is_file() else place.rglob("*")
        self._remote.upload(self.root, [self._name(path) for path in paths if _is_whole(path)])

    @contextlib.contextmanager
    def uploading(self, folder: Path) -> Iterator[None]:
        """Uploads what changed below `folder` every few seconds until the block ends. Only logs a failed upload."""
        ended = threading.Event()
        thread = threading.Thread(target=self._keep_uploading, args=(folder, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _keep_uploading(self, folder: Path, ended: threading.Event) -> None:
        shared: dict[Path, int] = {}
        due = 0.0  # the first upload comes at once: a short training, too, must outlive its machine
        while not ended.wait(LOOKING_SECONDS):
            try:
                now = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if _is_whole(path)}
                changed = [path for path, time_ns in now.items() if shared.get(path) != time_ns]
                if changed and time.monotonic() >= due:
                    self._remote.upload(self.root, map(self._name, changed))
                    shared, due = now, time.monotonic() + UPLOAD_INTERVAL_SECONDS
            except OSError as error:
                logger.warning("%s could not be uploaded: %s", folder, error)

    def _publish(self, manifest: Manifest, replace: bool) -> Manifest:
        """Uploads the payload, then the manifest, and returns the one in place: a usable older one stays."""
        name = f"{manifest.component}/{manifest.key}/{MANIFEST}"
        there = self.find(manifest.component, manifest.key)
        if there is not None and not replace:
            return there
        self._upload(manifest.folder)
        for place in _inside(manifest):
            self._upload_place(place)
        data = (manifest.model_dump_json(indent=1) + "\n").encode()
        if replace or self._remote.read(name) is not None:
            self._remote.write(name, data)
        else:
            self._remote.create(name, data)
        self._remote.remove(f"{manifest.component}/{manifest.key}/scratch")
        self._fetch_manifest(name)
        return Manifest.model_validate_json((self.root / name).read_bytes())

    def _upload_place(self, place: str) -> None:
        """Uploads a folder beside the artifacts: the dataset that TFDS has prepared, or a published version."""
        document = f"{place}/{VERSION_DOCUMENT}"
        if not (self.root / document).exists():
            self._upload(place)
            return
        ours = (self.root / document).read_bytes()
        if self._remote.read(document) not in (None, ours):
            # Another machine has taken the number. With this version removed, the next attempt takes the next number.
            shutil.rmtree(self.root / place)
            raise OSError(f"{self.url}/{place} was published by another machine meanwhile. Run again.")
        self._upload(place, last=document)
        # Pointers are uploaded after the versions that they point to.
        self._remote.upload(self.root, [self._name(path) for path in (self.root / PUSHED).iterdir() if _is_whole(path)])

    def _upload(self, place: str, last: str = "") -> None:
        """Uploads all files below a folder, the file named `last` after the others."""
        names = [self._name(path) for path in (self.root / place).rglob("*") if path.is_file()]
        self._remote.upload(self.root, [name for name in names if name != last])
        self._remote.upload(self.root, [name for name in names if name == last])

    def _fetch_manifest(self, name: str) -> None:
        path, data = self.root / name, self._remote.read(name)
        if data is None:
            path.unlink(missing_ok=True)
        elif not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data.decode())

    def _fetch_folder(self, name: str, digest: str = "") -> None:
        """Fetches a whole folder in one step, unless it is here. Raises OSError if its digest is not the given one."""
        target = self.root / name
        if target.exists():
            return
        draft = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
        try:
            folder = self._remote.folder(name)
            folder.fetch(folder.files(), draft)
            if digest and (found := digest_folder(draft).digest) != digest:
                raise OSError(f"{self.url}/{name} is damaged: its digest is {found}, expected {digest}.")
            with contextlib.suppress(FileExistsError, IsADirectoryError):  # another process was faster
                os.rename(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _fetch_files(self, files: list[RemoteFile]) -> None:
        """Fetches single files, except those that are here and not older."""
        self._remote.fetch([file for file in files if not _is_newer(self.root / file.name, file)], self.root)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _inside(manifest: Manifest) -> list[str]:
    """Returns the places of an artifact that are below the root."""
    return [place for place in manifest.places.values() if not os.path.isabs(place)]


def _is_whole(path: Path) -> bool:
    """Returns whether a path is a finished file, and not a draft that its writer will rename."""
    return path.is_file() and not path.name.startswith(".") and path.suffix != ".unfinished"


def _is_newer(path: Path, file: RemoteFile) -> bool:
    return path.exists() and path.stat().st_mtime_ns >= file.modified_ns
