"""Opens the artifact store at a folder or in object storage, as `--pipeline_root` names it."""

from __future__ import annotations

from pathlib import Path

from components.object_storage import is_remote, local_copy
from pipeline.errors import UsageError
from pipeline.store.local_store import Store
from pipeline.store.remote_store import RemoteStore

DEFAULT_ROOT = Path("pipeline_output")


def open_store(place: str) -> Store:
    """The store at a folder, or at s3://bucket/prefix or gs://bucket/prefix."""
    return RemoteStore(local_copy(place), place) if is_remote(place) else Store(Path(place).absolute())


def fetch_root(place: str) -> Path:
    """The folder of a root, with the records of all runs."""
    store = open_store(place)
    store.fetch_shared("")
    return store.root


def local_root(place: str, instead: str = "") -> Path:
    """The root of a command that works on this machine alone. Raises UsageError if it is elsewhere."""
    if is_remote(place):
        copy = (
            f"`python -m pipeline.runs --pipeline_root={place}` copies what is published there to {local_copy(place)}"
        )
        instead = instead or f"{copy}: give that folder. What is changed in it is not carried back."
        raise UsageError(f"--pipeline_root={place}: this command needs a folder on this machine. {instead}")
    return Path(place).absolute()
