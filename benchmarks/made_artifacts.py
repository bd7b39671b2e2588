"""Runs the pipeline as a user would, and finds what this very run has made or taken from an earlier one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from components.artifacts import Artifact
from pipeline.store.local_store import Store

Made = TypeVar("Made", bound=Artifact)


class MadeArtifacts:
    """The artifacts of one run, by component."""

    def __init__(self, root: Path, keys: dict[str, str]) -> None:
        self._store, self._keys = Store(root), keys

    def load(self, component: str, kind: type[Made]) -> Made:
        """Returns what the component has made, which is of this kind."""
        manifest = self._store.find(component, self._keys[component])
        assert manifest is not None
        return self._store.load(manifest, kind)


def run_to(component: str, root: Path, settings: Sequence[str]) -> MadeArtifacts:
    """Runs up to a component, with settings as KEY=VALUE. Exits if the run fails."""
    command = [sys.executable, "-m", "pipeline.run", "--output=json", f"--to={component}", f"--pipeline_root={root}"]
    finished = subprocess.run([*command, *(f"--set={each}" for each in settings)], stdout=subprocess.PIPE, text=True)
    if finished.returncode:
        raise SystemExit(finished.returncode)
    nodes = json.loads(finished.stdout.splitlines()[-1])["nodes"]
    return MadeArtifacts(root, {node["component"]: node["key"] for node in nodes})
