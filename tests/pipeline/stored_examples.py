"""Puts Examples into a bucket, in each of the places where ingest may leave their files."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from components.artifacts import Examples
from components.component import Workspace
from components.ingest import Ingest, IngestConfig
from components.ingest.fetch import list_data
from components.local_copies import DataCopy
from components.object_storage import RemoteFolder
from pipeline.store.manifest import BuildInfo, Identity, Manifest
from pipeline.store.remote_store import RemoteStore

MADE = BuildInfo(run_id="one", finished="2026-11-24T12:00:00", seconds=1, host="here", python="3.11", libraries={})
Put = Callable[[RemoteStore, Examples], tuple[Manifest, Ingest]]


def identity(name: str) -> Identity:
    return Identity(component="ingest", config={}, code={}, libraries={}, inputs={}, fingerprint=name)


def of_photos(store: RemoteStore, many: Examples) -> tuple[Manifest, Ingest]:
    """Of a folder of photos: the prepared dataset is part of the artifact."""
    attempt = store.open_attempt(identity("photos"))
    shutil.copytree(many.prepared_directory, attempt.folder / "dataset")
    examples = many.model_copy(update={"folder": attempt.folder, "directory": None}).write()
    return store.commit(identity("photos"), examples, {}, MADE), Ingest(IngestConfig())


def downloaded(store: RemoteStore, many: Examples) -> tuple[Manifest, Ingest]:
    """By TFDS, into the root."""
    attempt = store.open_attempt(identity("downloaded"))
    directory = store.root / "datasets" / "many" / "1.0.0"
    shutil.copytree(many.prepared_directory, directory)
    examples = many.model_copy(update={"folder": attempt.folder, "directory": directory}).write()
    return store.commit(identity("downloaded"), examples, {}, MADE), Ingest(IngestConfig())


def prepared(store: RemoteStore, many: Examples) -> tuple[Manifest, Ingest]:
    """In a folder of the bucket, of which machines have copies."""
    data = RemoteFolder(f"{store.url}-data/many/1.0.0")
    data.upload(many.prepared_directory, [path.name for path in many.prepared_directory.iterdir()])
    ingest, attempt = Ingest(IngestConfig(dataset=data.url)), store.open_attempt(identity("prepared"))
    directory = ingest.bring(DataCopy(data.url, list_data(data.url).digest).folder, Workspace(*attempt, store.root))
    examples = many.model_copy(update={"folder": attempt.folder, "directory": directory}).write()
    return store.commit(identity("prepared"), examples, {}, MADE), ingest


PLACES: list[Put] = [of_photos, downloaded, prepared]
