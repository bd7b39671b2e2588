"""The artifact store in a folder: look up a key, work in an attempt folder, commit the manifest last.

    <root>/<component>/<key>/manifest.json       what was made, and from what; committed last, in one step
    <root>/<component>/<key>/attempt-<id>/       the payload
    <root>/<component>/<key>/scratch/            what an unfinished attempt leaves for the next one

Retry, resume, caching, partial runs and `--plan` all use this one mechanism. Work done twice is harmless: the first
manifest under a key stays, and a second attempt uses it and discards its own work.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from components.artifacts import AnyArtifact, Artifact
from components.files import place_once, sync, sync_folder
from components.local_copies import DataCopy
from components.object_storage import is_remote
from pipeline.store.folder_digest import digest_folder, payload_files
from pipeline.store.manifest import MANIFEST, BuildInfo, Identity, Manifest, Reference


class Attempt(NamedTuple):
    """The folders in which an attempt makes the artifact of one key."""

    folder: Path  # for this attempt alone; empty unless the attempt has a name and goes on
    scratch: Path  # shared by all attempts at the key


class Store:
    """The store of all artifacts below one root. Any number of processes may use it at once."""

    url = ""  # of the object storage that the root is a copy of: see `pipeline.store.remote_store`

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, component: str, key: str) -> Manifest | None:
        """Returns the manifest under this key, or None if it or anything that belongs to the artifact is missing."""
        manifest = self._read(self._home(component, key) / MANIFEST)
        return manifest if manifest is not None and not self.faults(manifest) else None

    def faults(self, manifest: Manifest) -> list[str]:
        """Returns what belongs to the artifact and is gone or cut short, a phrase each, such as "gone: FOLDER"."""
        places = [self.path(place) for place in manifest.places.values()]
        gone = [f"gone: {path}" for path in (self.root / manifest.folder, *places) if not path.exists()]
        return gone or self._damage(
            manifest, [path.stat().st_size for path in payload_files(self.root / manifest.folder)]
        )

    def is_here(self, manifest: Manifest) -> bool:
        """Returns whether all files of the artifact are on this machine."""
        return not Store.faults(self, manifest)

    def _damage(self, manifest: Manifest, sizes: list[int]) -> list[str]:
        """Returns a phrase if there are fewer files or bytes than were committed."""
        if len(sizes) >= manifest.file_count and sum(sizes) >= manifest.byte_count:
            return []
        return [
            f"damaged: {self.root / manifest.folder} has {len(sizes)} files of {sum(sizes):,} bytes; "
            f"{manifest.file_count} of {manifest.byte_count:,} were committed"
        ]

    def newest(self, component: str) -> Manifest | None:
        """Returns the manifest of this component that was committed last, or None."""
        return max(self.manifests(component), key=lambda manifest: manifest.build.finished, default=None)

    def manifests(self, component: str = "*") -> Iterator[Manifest]:
        """Yields every manifest of one component, or of all components. Skips manifests that cannot be read."""
        for path in self.root.glob(f"{component}/*/{MANIFEST}"):
            if (manifest := self._read(path)) is not None:
                yield manifest

    def has_places(self, manifest: Manifest) -> bool:
        """Returns whether what the artifact has outside of the root is on this machine: `load` does not bring it."""
        outside = set(manifest.places.values()).difference(manifest.places_inside.values())
        return all(self.path(place).exists() for place in outside)

    def fetch(self, manifest: Manifest) -> None:
        """Brings the artifact's files to this machine. A local store has them already and does nothing."""

    def peek(self, manifest: Manifest, artifact: type[AnyArtifact]) -> AnyArtifact | None:
        """Returns what the artifact's document says, and fetches nothing; None if it is not on this machine."""
        try:
            return artifact.read(self.root / manifest.folder, manifest.digest)
        except FileNotFoundError:
            return None

    def path(self, place: str) -> Path:
        """Returns the path on this machine of a place that a manifest names."""
        return DataCopy.named(place).folder if is_remote(place) else self.root / place

    def load(self, manifest: Manifest, artifact: type[AnyArtifact]) -> AnyArtifact:
        """Returns the artifact that the manifest describes."""
        places = {name: self.path(place) for name, place in manifest.places.items()}
        return artifact.read(self.root / manifest.folder, manifest.digest, **places)

    def open_attempt(self, identity: Identity, name: str | None = None) -> Attempt:
        """Creates a folder to work in, always a new one unless `name` is given, and the scratch folder of the key."""
        home = self._home(identity.component, identity.key)
        attempt = Attempt(home / f"attempt-{name or uuid.uuid4().hex[:12]}", home / "scratch")
        attempt.scratch.mkdir(parents=True, exist_ok=True)
        attempt.folder.mkdir(exist_ok=name is not None)
        return attempt

    def attempt(self, identity: Identity, folder: str) -> Attempt:
        """Returns the folders of an attempt that was opened, perhaps on another machine: `folder` is a name."""
        home = self._home(identity.component, identity.key)
        attempt = Attempt(home / folder, home / "scratch")
        for path in attempt:
            path.mkdir(parents=True, exist_ok=True)
        return attempt

    def fetch_attempt(self, attempt: Attempt) -> None:
        """Brings what workers on other machines have put into an attempt's folders. A local store has it already."""

    def bring(self, name: str) -> None:
        """Brings the file or folder of this name below the root, if there is one. A local store has it already."""

    def commit(
        self,
        identity: Identity,
        artifact: Artifact,
        inputs: dict[str, Reference],
        build: BuildInfo,
        *,
        file_digests: Mapping[Path, str] | None = None,
        replace: bool = False,
    ) -> Manifest:
        """Commits the artifact under its key, unless another one was committed meanwhile: then that one counts.

        Args:
            identity: what determined the artifact. Its key may differ from that of the attempt.
            artifact: the artifact in the attempt's folder.
            inputs: references to the artifacts that it was made from, by the input's name.
            build: when, where and with which libraries it was made.
            file_digests: the SHA-256 of files that were hashed as they were written; the others are read.
            replace: whether to replace an artifact that is there already (a forced run).

        Returns:
            The manifest as it is read back from the store.
        """
        payload = digest_folder(artifact.folder, file_digests)
        manifest = Manifest(
            kind=artifact.kind(),
            identity=identity,
            digest=payload.digest,
            folder=artifact.folder.relative_to(self.root).as_posix(),
            places={name: self._relative(path) for name, path in artifact.places().items()},
            file_count=payload.file_count,
            byte_count=payload.byte_count,
            summary=artifact.summary(),
            inputs=inputs,
            build=build,
        )
        committed = self._publish(manifest, replace)
        shutil.rmtree(artifact.folder.parent / "scratch", ignore_errors=True)
        return committed

    def fetch_shared(self, run_id: str | None) -> None:
        """Brings the published versions and the record of a run (of all runs if "") to this machine."""

    def upload(self, place: Path) -> None:
        """Uploads a file or folder below the root for other machines. A local store does nothing."""

    def forget(self, folder: Path, *names: str) -> None:
        """Removes what other machines would see of these files and folders in a folder. A local store does nothing."""

    def following(self, folder: Path, sent: str) -> contextlib.AbstractContextManager[None]:
        """Returns a context that keeps the small files of a folder as other machines write them, until it ends.

        The file named `sent` is uploaded as soon as it is there. A local store does nothing.
        """
        return contextlib.nullcontext()

    def uploading(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        """Returns a context that uploads a folder repeatedly until it ends. A local store does nothing."""
        return contextlib.nullcontext()

    def _publish(self, manifest: Manifest, replace: bool) -> Manifest:
        """Puts the manifest in place in one step and returns the one in place: a usable older one stays."""
        final = self._home(manifest.component, manifest.key) / MANIFEST
        final.parent.mkdir(parents=True, exist_ok=True)
        draft = final.with_name(f"{MANIFEST}.{uuid.uuid4().hex}")
        try:
            draft.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
            sync_folder(self.root / manifest.folder)  # after a power cut, a manifest must not name files cut short
            sync(draft)
            if replace or (final.exists() and self.find(manifest.component, manifest.key) is None):
                os.replace(draft, final)
            else:
                place_once(draft, final)
            sync(final.parent)
        finally:
            draft.unlink(missing_ok=True)
        return Manifest.model_validate_json(final.read_bytes())

    def _home(self, component: str, key: str) -> Path:
        return self.root / component / key

    def _relative(self, path: Path) -> str:
        """Returns the path relative to the root if it is in it, so that the root can be moved."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    @staticmethod
    def _read(path: Path) -> Manifest | None:
        try:
            return Manifest.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None
