"""The artifact store on object storage, with a local folder in which everything is worked on and read.

The local folder is a root like any other, and only a copy: what counts is in the storage. A manifest is looked up there
each time; a payload is fetched when it is first needed, and checked against its digest. A commit uploads the payload,
then the manifest: nobody sees one without the other. What a killed upload leaves has no manifest.
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

from components.artifacts import AnyArtifact
from components.files import write_whole
from components.object_storage import RemoteFile, RemoteFolder
from components.registry.layout import PROVENANCE, PUSHED
from pipeline.store.folder_digest import digest_folder
from pipeline.store.local_store import Attempt, Store
from pipeline.store.manifest import MANIFEST, Identity, Manifest

UPLOAD_INTERVAL_SECONDS = 10.0  # between two uploads
LOOKING_SECONDS = 0.5
VERSION_DOCUMENT = PROVENANCE  # it lists all other files of a version: the last to arrive, and no version without it

logger = logging.getLogger(__name__)


class RemoteStore(Store):
    """All artifacts below one URL. Several machines may use it at once. Raises OSError where it cannot be reached."""

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root)
        self.url = url
        self._remote = RemoteFolder(url)

    def find(self, component: str, key: str) -> Manifest | None:
        """As the storage has it now."""
        self._fetch_manifest(f"{component}/{key}/{MANIFEST}")
        return super().find(component, key)

    def missing(self, manifest: Manifest) -> list[Path]:
        """What belongs to the artifact and is gone from the storage, or from this machine where it was outside."""
        gone = [place for place in _inside(manifest) if not self._remote.files(place)]
        if len(self._remote.files(manifest.folder)) < manifest.file_count:
            gone.append(manifest.folder)
        outside = [Path(place) for place in manifest.places.values() if os.path.isabs(place)]
        return [self.root / place for place in gone] + [path for path in outside if not path.exists()]

    def manifests(self, component: str = "*") -> Iterator[Manifest]:
        """Every artifact of one component, or of all, as the storage has it now."""
        listed = self._remote.files("" if component == "*" else component)
        names = [file.name for file in listed if file.name.count("/") == 2 and file.name.endswith(f"/{MANIFEST}")]
        for name in names:
            self._fetch_manifest(name)
            if (manifest := self._read(self.root / name)) is not None:
                yield manifest

    def load(self, manifest: Manifest, artifact: type[AnyArtifact]) -> AnyArtifact:
        """The artifact that the manifest speaks of, fetched if it is not here. Raises OSError if it is damaged."""
        self.fetch(manifest)
        return super().load(manifest, artifact)

    def fetch(self, manifest: Manifest) -> None:
        """Fetches an artifact if it is not here."""
        self._fetch_folder(manifest.folder, manifest.digest)
        for place in _inside(manifest):
            self._fetch_folder(place)

    def fetch_shared(self, run_id: str | None) -> None:
        """Fetches published versions, the small files beside them, and the record of a run, or of all."""
        if run_id is not None:
            self._fetch_files(self._remote.files(f"runs/{run_id}".rstrip("/")))
        files = self._remote.files(PUSHED)
        versions = [f.name.removesuffix(f"/{VERSION_DOCUMENT}") for f in files if f.name.endswith(VERSION_DOCUMENT)]
        for version in versions:
            self._fetch_folder(version)
        self._fetch_files([file for file in files if file.name.count("/") == 1])

    def open_attempt(self, identity: Identity, name: str | None = None) -> Attempt:
        """Finds in the scratch folder also what an attempt on another machine has left."""
        self.fetch_shared(None)
        attempt = super().open_attempt(identity, name)
        self._fetch_files(self._remote.files(self._name(attempt.scratch)))
        return attempt

    def upload(self, place: Path) -> None:
        """Uploads a file, or all files below a folder but drafts."""
        paths = [place] if place.is_file() else place.rglob("*")
        self._remote.upload(self.root, [self._name(path) for path in paths if _is_whole(path)])

    @contextlib.contextmanager
    def uploading(self, folder: Path) -> Iterator[None]:
        """Uploads what has changed below `folder` every few seconds. That it cannot is no reason to stop the work."""
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
        due = 0.0  # at once the first time: a short training, too, is to outlive its machine
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
        """Uploads the payload, then the manifest; a usable one that is there stays. Returns what is there then."""
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
        """A folder beside the artifacts: the data set that TFDS has prepared, or a published version."""
        document = f"{place}/{VERSION_DOCUMENT}"
        if not (self.root / document).exists():
            self._upload(place)
            return
        ours = (self.root / document).read_bytes()
        if self._remote.read(document) not in (None, ours):
            # Another machine has taken the number. Without this one the next attempt takes the next number.
            shutil.rmtree(self.root / place)
            raise OSError(f"{self.url}/{place} was published by another machine meanwhile. Run again.")
        self._upload(place, last=document)
        # What points to versions comes after them.
        self._remote.upload(self.root, [self._name(path) for path in (self.root / PUSHED).iterdir() if _is_whole(path)])

    def _upload(self, place: str, last: str = "") -> None:
        """All files below, one of them after the others if need be."""
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
        """All of a folder, at once, unless it is here. Raises OSError if it is not what the digest says."""
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
        """Single files, unless they are here and newer."""
        self._remote.fetch([file for file in files if not _is_newer(self.root / file.name, file)], self.root)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _inside(manifest: Manifest) -> list[str]:
    """The places of an artifact that are below the root."""
    return [place for place in manifest.places.values() if not os.path.isabs(place)]


def _is_whole(path: Path) -> bool:
    """No draft, which whoever writes it will rename."""
    return path.is_file() and not path.name.startswith(".") and path.suffix != ".unfinished"


def _is_newer(path: Path, file: RemoteFile) -> bool:
    return path.exists() and path.stat().st_mtime_ns >= file.modified_ns
