"""Opens the artifact store that `--pipeline_root` names, in a folder or in object storage."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from components.component import ComponentError
from components.local_copies import local_copy
from components.object_storage import is_remote
from components.registry.registry import Registry, open_registry
from pipeline.errors import UsageError
from pipeline.store.local_store import Store
from pipeline.store.remote_store import RemoteStore

DEFAULT_ROOT = Path("pipeline_output")
PATTERN = frozenset("*?[]")
_URL = re.compile(r"[A-Za-z][\w+.\-]+:/")


def open_store(place: str) -> Store:
    """Returns the store at a folder, or at s3://bucket/prefix or gs://bucket/prefix.

    Raises UsageError where TensorFlow could not read what it has written, a record could not name it, or a file is,
    and for any other URL.
    """
    root = _copy(place) if is_remote(place) else Path(place).absolute()
    _check_path(root, place)
    return RemoteStore(root, place) if is_remote(place) else Store(root)


def fetch_root(place: str) -> Path:
    """Returns the local folder of a root, after fetching the records of all runs and the published versions."""
    store = open_store(place)
    store.fetch_shared("")
    return store.root


def open_versions(place: str) -> Registry:
    """Returns the published versions of a root in a folder or in object storage.

    Raises UsageError if there can be no root, and OSError if the storage cannot be reached.
    """
    registry = open_registry(_copy(place), place) if is_remote(place) else open_registry(local_root(place))
    registry.refresh()
    registry.require_place()
    return registry


def local_root(place: str) -> Path:
    """Returns a root that is a folder of this machine as an absolute path. Raises UsageError for a file or a URL."""
    root = Path(place).absolute()
    _check_folder(root, place)
    return root


def require_bucket(url: str, option: str) -> None:
    """Raises UsageError for a URL such as s3://, whose storage would be asked for minutes."""
    if not url.partition("://")[2].partition("/")[0].strip():
        raise UsageError(f"{option}={url} names no bucket. Expected s3://BUCKET/FOLDER or gs://BUCKET/FOLDER.")


def _check_folder(root: Path, place: str) -> None:
    if _URL.match(place) and not is_remote(place):
        raise UsageError(
            f"--pipeline_root={place} is neither a folder nor object storage. Expected s3://BUCKET/FOLDER, "
            "gs://BUCKET/FOLDER, or a folder (one whose name has a colon as ./NAME)."
        )
    for folder in (root, *root.parents):
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"--pipeline_root={place}: {folder} is a file. Choose a folder.")


def _check_path(root: Path, place: str) -> None:
    _check_folder(root, place)
    if found := sorted(set(str(root)) & PATTERN):
        raise UsageError(
            f"--pipeline_root={place}: {root} has {' '.join(found)} in it, which TensorFlow reads as a pattern when it "
            "loads a model. Choose a folder without * ? [ ] in its path."
        )
    try:
        str(root).encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"--pipeline_root={place}: {root} has a name that is not text in {sys.getfilesystemencoding()}, so that no "
            "record could name it. Choose another folder, or another locale, such as LC_ALL=C.UTF-8."
        ) from error


def _copy(url: str) -> Path:
    require_bucket(url, "--pipeline_root")
    try:
        return local_copy(url)
    except ComponentError as error:
        raise UsageError(f"--pipeline_root={url} is copied to this machine first. {error}") from error
