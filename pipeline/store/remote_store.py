"""The artifact store in object storage, with a local folder in which components read and write.

The local folder has the layout of any root, but is only a copy: what counts is in the storage. A manifest is looked up
there each time. A payload is fetched when it is first needed, and checked against its digest. A commit uploads the
payload, then the manifest: an interrupted upload leaves no manifest.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from components.artifacts import LOGS, AnyArtifact
from components.files import write_whole
from components.local_copies import DataCopy, is_same, missing_files, possible_files, share_files
from components.look_again import look_again
from components.object_storage import RemoteFile, RemoteFolder
from components.registry.layout import is_pushed
from components.registry.registry import open_registry
from pipeline.store.folder_digest import digest_folder, payload_files
from pipeline.store.folder_upload import is_whole, uploading
from pipeline.store.followed_folder import following
from pipeline.store.local_store import Attempt, Store
from pipeline.store.manifest import MANIFEST, Identity, Manifest, is_manifest


class RemoteStore(Store):
    """The store of all artifacts below one URL. Several machines may use it at once.

    Methods raise OSError if the storage cannot be reached.
    """

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root)
        self.url = url
        self._remote = RemoteFolder(url)
        self._versions = open_registry(root, url)

    def find(self, component: str, key: str) -> Manifest | None:
        """Returns the manifest under this key as the storage has it now, or None if the artifact is not complete."""
        home = f"{component}/{key}"
        files = self._remote.files(home)  # one request tells of the manifest and of the payload
        self._fetch_manifest(f"{home}/{MANIFEST}", files)
        manifest = self._read(self.root / home / MANIFEST)
        return manifest if manifest is not None and not self._faults(manifest, files) else None

    def faults(self, manifest: Manifest) -> list[str]:
        """Returns what is gone or cut short: in the storage, or on this machine if it lies outside the root."""
        return self._faults(manifest, self._remote.files(manifest.folder))

    def _faults(self, manifest: Manifest, files: Iterable[RemoteFile]) -> list[str]:
        gone = [self.root / place for place in manifest.places_inside.values() if not self._has(place)]
        gone += [
            path for place in manifest.places.values() if os.path.isabs(place) and not (path := Path(place)).exists()
        ]
        if gone:
            return [f"gone: {path}" for path in gone]
        folder, logs = f"{manifest.folder}/", f"{manifest.folder}/{LOGS}/"
        payload = [file.size for file in files if file.name.startswith(folder) and not file.name.startswith(logs)]
        return self._damage(manifest, payload)

    def manifests(self, component: str = "*") -> Iterator[Manifest]:
        """Yields every manifest of one component, or of all components, as the storage has it now."""
        listed = self._remote.files("" if component == "*" else component)
        for name in (file.name for file in listed if is_manifest(file.name)):
            self._fetch_manifest(name, listed)
            if (manifest := self._read(self.root / name)) is not None:
                yield manifest

    def load(self, manifest: Manifest, artifact: type[AnyArtifact]) -> AnyArtifact:
        """Returns the artifact that the manifest describes; fetches it if needed. Raises OSError if it is damaged."""
        self.fetch(manifest)
        return super().load(manifest, artifact)

    def fetch(self, manifest: Manifest) -> None:
        """Fetches the artifact's files that are not on this machine. Raises OSError if they are damaged."""
        if (self.root / manifest.folder).exists():
            self._complete(manifest)
        self._fetch_folder(manifest.folder, manifest.digest)
        for place in manifest.places_inside.values():
            self._fetch_folder(place)

    def fetch_shared(self, run_id: str | None) -> None:
        """Fetches what is known of the published versions, and the record of a run (of all runs if "").

        Raises OSError if there is no such bucket.
        """
        self._versions.refresh()
        self._versions.require_place()
        if run_id is not None:
            self._fetch_files(f"runs/{run_id}".rstrip("/"), self._is_news)

    def open_attempt(self, identity: Identity, name: str | None = None) -> Attempt:
        """Creates the folders of an attempt, and fetches what attempts on other machines left in the scratch folder."""
        self.fetch_shared(None)
        attempt = super().open_attempt(identity, name)
        self._fetch_files(self._name(attempt.scratch), self._is_news)
        return attempt

    def fetch_attempt(self, attempt: Attempt) -> None:
        """Fetches what workers on other machines have put into the attempt's folders, and this machine has not."""
        for folder in attempt:
            self._fetch_files(self._name(folder), self._is_missing)

    def bring(self, name: str) -> None:
        """Fetches a folder below the root, or the artifact that it is part of, unless it is here.

        Of what a scan is to write, makes the folder.
        """
        path, parts = self.root / name, name.split("/")
        if is_pushed(name):
            self._fetch_folder("/".join(parts[:2]))
        if path.exists():
            return
        if parts[2:] and parts[2].startswith("attempt-"):
            if not self.root.joinpath(*parts[:3]).exists():
                self._fetch_artifact("/".join(parts[:3]))
        elif parts[2:3] != ["scratch"] and self._remote.files(name):
            self._fetch_folder(name)
        path.parent.mkdir(parents=True, exist_ok=True)

    def forget(self, folder: Path, *names: str) -> None:
        """Removes files and folders of these names in a folder from the storage, if they are there."""
        below = len(Path(self._name(folder)).parts)
        listed = self._remote.files(self._name(folder))
        self._remote.remove_files([file.name for file in listed if file.name.split("/")[below] in names])

    def following(self, folder: Path, sent: str) -> contextlib.AbstractContextManager[None]:
        """Returns a context that keeps the small files of a folder as other machines write them."""
        return following(self._remote.folder(self._name(folder)), folder, sent)

    def upload(self, place: Path) -> None:
        """Uploads a file, or all files below a folder except drafts."""
        paths = [place] if place.is_file() else place.rglob("*")
        self._remote.upload(self.root, [self._name(path) for path in paths if is_whole(path)])

    def uploading(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        """Returns a context that uploads what changed below `folder` every few seconds."""
        return uploading(self._remote, self.root, folder)

    def _publish(self, manifest: Manifest, replace: bool) -> Manifest:
        """Uploads the payload, then the manifest, and returns the one in place: a usable older one stays."""
        home = f"{manifest.component}/{manifest.key}"
        name, scratch = f"{home}/{MANIFEST}", f"{home}/scratch"
        there = self.find(manifest.component, manifest.key)
        if there is not None and not replace:
            self._remote.remove(scratch)  # this attempt may have put it there again, after the other one's commit
            return there
        self._upload(manifest.folder)
        for place in manifest.places_inside.values():
            if not is_pushed(place):  # the component has uploaded it, under a number that it claimed
                self._upload(place)
        data = (manifest.model_dump_json(indent=1) + "\n").encode()
        if replace or self._remote.read(name) is not None:
            self._remote.write(name, data)
        else:
            self._remote.create(name, data)
        self._remote.remove(scratch)
        self._fetch_manifest(name, self._remote.files(home))
        return Manifest.model_validate_json((self.root / name).read_bytes())

    def _upload(self, place: str) -> None:
        """Uploads all files below a folder that were not fetched from there."""
        fetched = {file.name for file in self._remote.files(place) if is_same(self.root / file.name, file)}
        found = (self._name(path) for path in (self.root / place).rglob("*") if path.is_file())
        self._remote.upload(self.root, [name for name in found if name not in fetched])

    def _fetch_manifest(self, name: str, listed: Iterable[RemoteFile]) -> None:
        """Makes the manifest on this machine be the one in the listing; without one there, there is none."""
        path, file = self.root / name, next((file for file in listed if file.name == name), None)
        if file is not None and is_same(path, file):
            return
        data = None if file is None else self._remote.read(name)
        if file is None or data is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
        os.utime(path, ns=(file.modified_ns, file.modified_ns))

    def _fetch_folder(self, name: str, digest: str = "") -> None:
        """Fetches a whole folder in one step, unless it is here. Raises OSError if its digest is not the given one."""
        target = self.root / name
        if is_pushed(name):
            self._versions.fetch(target)
            return
        if target.exists():
            return
        draft = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
        try:
            look_again(lambda: self._fetch_or_share(self._remote.folder(name), draft))
            if digest:
                self._check_digest(draft, name, digest)
            try:
                os.rename(draft, target)
            except OSError:  # another process was faster
                if not target.is_dir():
                    raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    @staticmethod
    def _fetch_or_share(folder: RemoteFolder, target: Path) -> None:
        """Fetches a folder, but for the files that scans have fetched."""
        files = possible_files(folder.iter_files())
        share_files(folder.url, files, target)
        folder.fetch(missing_files(target, files), target)

    def _fetch_artifact(self, folder: str) -> None:
        """Fetches the artifact in this folder, if it was committed."""
        manifest = self.find(*folder.split("/")[:2])
        if manifest is not None and manifest.folder == folder:
            self.fetch(manifest)

    def _complete(self, manifest: Manifest) -> None:
        """Fetches the other files of an artifact of which this machine has some: its scan worked on several."""
        sizes = [path.stat().st_size for path in payload_files(self.root / manifest.folder)]
        if not self._damage(manifest, sizes):
            return
        self._fetch_files(manifest.folder, self._is_missing)
        self._check_digest(self.root / manifest.folder, manifest.folder, manifest.digest)

    def _check_digest(self, folder: Path, name: str, digest: str) -> None:
        if (found := digest_folder(folder).digest) != digest:
            what, ways = f"its digest is {found}, expected {digest}", f"--force {name.partition('/')[0]} makes it anew"
            raise OSError(f"{self.url}/{name} is damaged: {what}. Remove what was added there, or {ways}.")

    def _relative(self, path: Path) -> str:
        """Returns the path relative to the root if it is in it; of a copy of data, what the copy is of."""
        copy = DataCopy.of(path)
        return copy.reference if copy is not None else super()._relative(path)

    def _fetch_files(self, name: str, is_wanted: Callable[[RemoteFile], bool]) -> None:
        """Fetches files below a folder to which others may write meanwhile."""

        def look() -> None:
            self._remote.fetch(filter(is_wanted, possible_files(self._remote.iter_files(name))), self.root)

        look_again(look)

    def _is_news(self, file: RemoteFile) -> bool:
        path = self.root / file.name
        return not path.exists() or path.stat().st_mtime_ns < file.modified_ns

    def _is_missing(self, file: RemoteFile) -> bool:
        """Returns whether this machine has no file of this name and size: each is written once."""
        path = self.root / file.name
        return not path.exists() or path.stat().st_size != file.size

    def _has(self, place: str) -> bool:
        """Returns whether the storage has a place below the root."""
        return self._versions.has(self.root / place) if is_pushed(place) else bool(self._remote.files(place))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()
