"""Opens the artifact store that `--pipeline_root` names, in a folder or in object storage."""

from __future__ import annotations

from pathlib import Path

from components.object_storage import is_remote, local_copy
from pipeline.errors import UsageError
from pipeline.store.local_store import Store
from pipeline.store.remote_store import RemoteStore

DEFAULT_ROOT = Path("pipeline_output")
PATTERN = frozenset("*?[]")


def open_store(place: str) -> Store:
    """Returns the store at a folder, or at s3://bucket/prefix or gs://bucket/prefix.

    Raises UsageError where TensorFlow could not read what it has written.
    """
    root = local_copy(place) if is_remote(place) else Path(place).absolute()
    if found := sorted(set(str(root)) & PATTERN):
        raise UsageError(
            f"--pipeline_root={place}: {root} has {' '.join(found)} in it, which TensorFlow reads as a pattern when it "
            "loads a model. Choose a folder without * ? [ ] in its path."
        )
    return RemoteStore(root, place) if is_remote(place) else Store(root)


def fetch_root(place: str) -> Path:
    """Returns the local folder of a root, after fetching the records of all runs and the published versions."""
    store = open_store(place)
    store.fetch_shared("")
    return store.root


def local_root(place: str, instead: str = "") -> Path:
    """Returns the root as an absolute path, for a command that works on this machine alone.

    Raises UsageError for a URL. `instead` says what to do then.
    """
    if is_remote(place):
        copy = (
            f"`python -m pipeline.runs --pipeline_root={place}` copies what is published there to {local_copy(place)}"
        )
        instead = instead or f"{copy}: give that folder. What is changed in it is not carried back."
        raise UsageError(f"--pipeline_root={place}: this command needs a folder on this machine. {instead}")
    return Path(place).absolute()
