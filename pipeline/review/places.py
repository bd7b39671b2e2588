"""Finds a run to review, in a folder or in object storage: its artifacts, its photos, and where decisions go."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import NamedTuple

from components.artifacts import Artifact, Examples
from components.component import ComponentError
from components.corrections_file import FILE_NAME, find_file, read_corrections
from components.corrections_place import Place, make_place
from components.home import expand_home
from components.local_copies import DataCopy, is_same, local_copy
from components.object_storage import RemoteFolder, is_remote
from pipeline.errors import UsageError
from pipeline.orchestrator.run_artifacts import find_run
from pipeline.orchestrator.run_record import RunFolder, RunRecord, run_records
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest
from pipeline.store.opening import open_store

HOW_TO_MAKE = "`python -m pipeline.run --set inspect={}` makes them"


class OpenedRun(NamedTuple):
    """A run with an artifact of the kind that was asked for, and the places of the photos that it is about."""

    store: Store
    run_id: str
    manifest: Manifest  # of the artifact
    examples: Examples
    folder: Path  # that files are relative to
    url: str  # of that folder in object storage, if it is a copy; else empty
    corrections: Place


def open_run(
    root: Path | str, run: str | None, kind: type[Artifact], source: str | None, corrections: str | None
) -> OpenedRun:
    """Returns a run, or the newest one that has an artifact of this kind. The arguments are those of `open_review`.

    Raises UsageError if there is none, the photos are not there, or decisions cannot be written.
    """
    store = open_store(str(root))
    try:
        store.fetch_shared("")
        run_id = None if run is None else find_run(store.root, run, store.url)
        record, manifest = _newest(store, kind) if run_id is None else _of_run(store, kind, run_id)
        examples = _examples_of(store, manifest)
        url = "" if source else _url(record)
        folder = _copy(examples, url) if url else _folder(examples, source)
        place = _corrections(examples, folder, source, corrections)
        read_corrections(place)
    except ComponentError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{root} cannot be read: {error}") from error
    return OpenedRun(store, record.run_id, manifest, examples, folder, url, place)


def fetch_photos(url: str, folder: Path, names: set[str]) -> None:
    """Fetches the photos that this machine does not have as they are now, if they lie in object storage at `url`.

    The copy that a run has read is left as it is. Raises UsageError if the storage cannot be reached.
    """
    if not url or folder != local_copy(url):
        return
    remote = RemoteFolder(url)
    try:
        found = [file for file in remote.iter_files() if file.name in names]
        remote.fetch([file for file in found if not is_same(find_file(folder, file.name), file)], folder)
    except OSError as error:
        raise UsageError(f"The photos at {url} cannot be fetched: {error}") from error


def _newest(store: Store, kind: type[Artifact]) -> tuple[RunRecord, Manifest]:
    for record in reversed(list(run_records(store.root))):
        if manifest := _manifest_of(store, kind, record):
            return record, manifest
    raise UsageError(
        f"No run in {store.url or store.root} has {_word(kind)}. {HOW_TO_MAKE}; or name another folder with "
        "--pipeline_root."
    )


def _of_run(store: Store, kind: type[Artifact], run_id: str) -> tuple[RunRecord, Manifest]:
    record = RunFolder(store.root, run_id).read()
    manifest = _manifest_of(store, kind, record) if record else None
    if record is None or manifest is None:
        raise UsageError(
            f"Run {run_id} has no {_word(kind)}, or no longer has them. Leave RUN out for the newest run that has some."
        )
    return record, manifest


def _word(kind: type[Artifact]) -> str:
    return kind.kind().lower()


def _manifest_of(store: Store, kind: type[Artifact], record: RunRecord) -> Manifest | None:
    for node in record.nodes:
        manifest = store.find(node.component, node.key) if node.digest else None
        if manifest is not None and manifest.kind == kind.kind() and manifest.digest == node.digest:
            return manifest
    return None


def _examples_of(store: Store, made: Manifest) -> Examples:
    """Returns the images that an artifact was made of. Raises UsageError if they are gone."""
    for reference in made.inputs.values():
        manifest = store.find(reference.component, reference.key)
        if manifest is not None and manifest.kind == Examples.kind():
            return store.load(manifest, Examples)
    raise UsageError("The images that this is about are no longer in the pipeline root. Run the pipeline again.")


def _url(record: RunRecord) -> str:
    """Returns the folder in object storage that a run has read; empty if it has read another one."""
    dataset = str(record.config.get("ingest", {}).get("dataset", ""))
    if not is_remote(dataset):
        return ""
    return posixpath.dirname(dataset) if dataset.lower().endswith(".csv") else dataset.rstrip("/")


def _copy(examples: Examples, url: str) -> Path:
    """Returns this machine's copy of what the run has read, or else a folder for the photos that are shown."""
    read = Path(examples.source)
    copy = DataCopy.at(url, read.parent if read.suffix.lower() == ".csv" else read)
    return copy.folder if copy.folder.is_dir() else local_copy(url)


def _folder(examples: Examples, source: str | None) -> Path:
    if not source and not examples.source:
        raise UsageError(
            f"{examples.dataset} was not made of files, and decisions name files. What can be reviewed is a folder of "
            "photos, or a .csv file, as ingest.dataset."
        )
    path = expand_home(source, "--source") if source else Path(examples.source)
    if not path.exists():
        raise UsageError(f"{path}: the photos are not there any more. Say where they are with --source.")
    return path if path.is_dir() else path.parent


def _corrections(examples: Examples, folder: Path, source: str | None, corrections: str | None) -> Place:
    if corrections is not None:
        place = corrections if is_remote(corrections) else expand_home(corrections, "--corrections")
    elif source:
        place = folder / FILE_NAME
    elif examples.corrections_file:
        place = make_place(examples.corrections_file)
    else:
        raise UsageError(
            "The run has read no corrections. Set ingest.corrections to a file, such as ./corrections.csv, and give "
            "the same file with --corrections."
        )
    if isinstance(place, Path) and (
        not os.access(place if place.exists() else place.parent, os.W_OK) or place.is_dir()
    ):
        raise UsageError(
            f"{place} cannot be written. Set ingest.corrections to a file elsewhere, and give the same file with "
            "--corrections."
        )
    return place
