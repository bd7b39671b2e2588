"""The artifact store: look a key up, work in an attempt folder, commit the manifest last.

    <root>/<component>/<key>/manifest.json       what was made, of what; committed last, whole
    <root>/<component>/<key>/attempt-<id>/       the payload
    <root>/<component>/<key>/scratch/            what an unfinished attempt leaves to the next one

Retry, resume, caching, partial runs and "what would run?" are this one mechanism. Work done twice is harmless: the
first manifest under a key stays, and whoever comes second takes it and throws its own work away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from components.artifacts import AnyArtifact, Artifact
from pipeline.store.folder_digest import digest_folder
from pipeline.store.manifest import MANIFEST, BuildInfo, Identity, Manifest, Reference


class Attempt(NamedTuple):
    """A place to work towards one key."""

    folder: Path  # empty, of this attempt alone
    scratch: Path  # shared by all attempts at the key


class Store:
    """All artifacts below one root. Any number of processes may use it at once."""

    url = ""  # of what the root is a copy of: see `pipeline.store.remote_store`

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, component: str, key: str) -> Manifest | None:
        """The artifact under this key, if it is there with everything that belongs to it."""
        manifest = self._read(self._home(component, key) / MANIFEST)
        return manifest if manifest is not None and not self.missing(manifest) else None

    def missing(self, manifest: Manifest) -> list[Path]:
        """What belongs to the artifact and is gone: its folder, or a place that it refers to."""
        needed = [self.root / manifest.folder, *(self.root / place for place in manifest.places.values())]
        return [path for path in needed if not path.exists()]

    def newest(self, component: str) -> Manifest | None:
        """The artifact of this component that was committed last."""
        return max(self.manifests(component), key=lambda manifest: manifest.build.finished, default=None)

    def manifests(self, component: str = "*") -> Iterator[Manifest]:
        """Every artifact of one component, or of all; those that cannot be read are passed over."""
        for path in self.root.glob(f"{component}/*/{MANIFEST}"):
            if (manifest := self._read(path)) is not None:
                yield manifest

    def fetch(self, manifest: Manifest) -> None:
        """Has the artifact's files on this machine. They are, unless the root is elsewhere."""

    def load(self, manifest: Manifest, artifact: type[AnyArtifact]) -> AnyArtifact:
        """The artifact that the manifest speaks of."""
        places = {name: self.root / place for name, place in manifest.places.items()}
        return artifact.read(self.root / manifest.folder, manifest.digest, **places)

    def open_attempt(self, identity: Identity, name: str | None = None) -> Attempt:
        """Makes a folder to work in, a new one unless it is named, and the scratch folder of the key."""
        home = self._home(identity.component, identity.key)
        attempt = Attempt(home / f"attempt-{name or uuid.uuid4().hex[:12]}", home / "scratch")
        attempt.scratch.mkdir(parents=True, exist_ok=True)
        attempt.folder.mkdir(exist_ok=name is not None)
        return attempt

    def commit(
        self,
        identity: Identity,
        artifact: Artifact,
        inputs: dict[str, Reference],
        build: BuildInfo,
        *,
        replace: bool = False,
    ) -> Manifest:
        """Makes the artifact the one under its key, unless another was committed meanwhile: then that one counts.

        Args:
            identity: what the artifact was made of. Its key may differ from that of the attempt.
            artifact: what lies in the attempt's folder.
            inputs: by name, the artifacts that it was made of.
            build: when, where, with what.
            replace: take the place of an artifact that is there already (a forced run).

        Returns:
            The manifest as it is read back from the store.
        """
        payload = digest_folder(artifact.folder)
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
        if committed.folder != manifest.folder:
            shutil.rmtree(artifact.folder, ignore_errors=True)
        shutil.rmtree(artifact.folder.parent / "scratch", ignore_errors=True)
        return committed

    def abandon(self, attempt: Attempt) -> None:
        """Removes a failed attempt's folder. Scratch stays for the next one."""
        shutil.rmtree(attempt.folder, ignore_errors=True)

    def fetch_shared(self, run_id: str | None) -> None:
        """Has the published versions on this machine, and the record of a run, of all runs if it is ""."""

    def upload(self, place: Path) -> None:
        """Lets other machines see a file or a folder below the root. Here they do, if they see the root at all."""

    def uploading(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        """Does so every now and then while something goes on."""
        return contextlib.nullcontext()

    def _publish(self, manifest: Manifest, replace: bool) -> Manifest:
        """Puts the manifest in its place in one step; a usable one that is there stays. Returns what is there then."""
        final = self._home(manifest.component, manifest.key) / MANIFEST
        final.parent.mkdir(parents=True, exist_ok=True)
        draft = final.with_name(f"{MANIFEST}.{uuid.uuid4().hex}")
        try:
            draft.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
            if replace or (final.exists() and self.find(manifest.component, manifest.key) is None):
                os.replace(draft, final)
            else:
                with contextlib.suppress(FileExistsError):
                    os.link(draft, final)
        finally:
            draft.unlink(missing_ok=True)
        return Manifest.model_validate_json(final.read_bytes())

    def _home(self, component: str, key: str) -> Path:
        return self.root / component / key

    def _relative(self, path: Path) -> str:
        """Relative to the root if it is in it, so that the root can be moved."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    @staticmethod
    def _read(path: Path) -> Manifest | None:
        try:
            return Manifest.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None
