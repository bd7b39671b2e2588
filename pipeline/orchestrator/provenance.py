"""The provenance of an artifact: when, where and with which libraries it was made, and from which artifacts."""

from __future__ import annotations

import datetime
import platform
import socket
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from pipeline.orchestrator.elapsed import seconds_since
from pipeline.store.local_store import Store
from pipeline.store.manifest import BuildInfo, Manifest

LIBRARIES = ("tensorflow", "keras", "tensorflow-datasets", "apache-beam", "coremltools", "tensorflow-model-analysis")


def build_info(run_id: str, started: float) -> BuildInfo:
    """Returns when, where and with which libraries an artifact was just made; `started` is in seconds since 1970."""
    return BuildInfo(
        run_id=run_id,
        finished=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
        seconds=round(seconds_since(started), 3),
        host=socket.gethostname(),
        python=platform.python_version(),
        libraries={name: installed_version(name) for name in LIBRARIES},
    )


@cache
def installed_version(library: str) -> str:
    """Returns the version of an installed distribution, or "not installed"."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def provenance(store: Store, manifests: Iterable[Manifest]) -> dict[str, Manifest]:
    """Returns, by component, the manifests of these artifacts and of all artifacts upstream of them."""
    found: dict[str, Manifest] = {}
    waiting = list(manifests)
    while waiting:
        manifest = waiting.pop()
        if manifest.component not in found:
            found[manifest.component] = manifest
            above = (store.find(each.component, each.key) for each in manifest.inputs.values())
            waiting += [each for each in above if each is not None]
    return found
