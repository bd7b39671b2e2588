"""What tells how an artifact came to be: when, where and with what it was made, and of which others."""

from __future__ import annotations

import datetime
import platform
import socket
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline.store.local_store import Store
from pipeline.store.manifest import BuildInfo, Manifest

LIBRARIES = ("tensorflow", "keras", "tensorflow-datasets", "apache-beam", "coremltools", "tensorflow-model-analysis")


def build_info(run_id: str, started: float) -> BuildInfo:
    """When, where and with what: for the manifest of what has just been made."""
    return BuildInfo(
        run_id=run_id,
        finished=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
        seconds=round(time.time() - started, 3),
        host=socket.gethostname(),
        python=platform.python_version(),
        libraries={name: _version(name) for name in LIBRARIES},
    )


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def provenance(store: Store, manifests: Iterable[Manifest]) -> dict[str, Any]:
    """The manifests of these artifacts and of everything that they were made of, by component."""
    found: dict[str, Any] = {}
    waiting = list(manifests)
    while waiting:
        manifest = waiting.pop()
        if manifest.component not in found:
            found[manifest.component] = manifest.model_dump()
            above = (store.find(each.component, each.key) for each in manifest.inputs.values())
            waiting += [each for each in above if each is not None]
    return found
