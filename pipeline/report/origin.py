"""The report's section on provenance: what made each artifact, and a command that reproduces the run."""

from __future__ import annotations

import json
import shlex
from typing import Any, NamedTuple

from pipeline.config import make_config
from pipeline.config.origins import dump
from pipeline.errors import UsageError
from pipeline.orchestrator.run_artifacts import RunArtifacts
from pipeline.store.manifest import Manifest

NOT_REPEATED = ("--config", "--set", "--run_id", "--output", "--from", "--force")


class OriginRow(NamedTuple):
    """The row of one component."""

    component: str
    state: str
    reason: str
    manifest: Manifest | None  # None if the component made nothing, or its artifact is gone


class Origin(NamedTuple):
    """The provenance of everything that a run used or made."""

    rows: tuple[OriginRow, ...]
    libraries: dict[str, str]
    command: str  # as it was typed
    reproduction: str  # a command with the whole config in it
    lost: tuple[str, ...]  # components whose artifact is no longer the one of this run


def find_origin(run: RunArtifacts) -> Origin:
    """Returns the provenance of a run from its record and manifests."""
    rows = tuple(
        OriginRow(node.component, node.state, node.reason, run.manifests.get(node.component)) for node in run.nodes
    )
    made = [row.manifest.build for row in rows if row.manifest is not None]
    libraries = {"Python": made[-1].python, **made[-1].libraries} if made else {}
    arguments = run.record.command[1:]
    return Origin(
        rows=rows,
        libraries=libraries,
        command=_command(arguments),
        reproduction=_reproduction(arguments, run.record.config),
        lost=run.lost,
    )


def _command(arguments: tuple[str, ...]) -> str:
    return shlex.join(["python", "-m", "pipeline.run", *arguments])


def _reproduction(arguments: tuple[str, ...], config: dict[str, Any]) -> str:
    """Returns a shell command that contains the whole config, defaults included, so that no file is needed."""
    text = json.dumps(_as_file(config), indent=1)
    return f"{_command(('--config=/dev/stdin', *_kept(arguments)))} <<'CONFIG'\n{text}\nCONFIG"


def _as_file(config: dict[str, Any]) -> dict[str, Any]:
    """Returns a recorded config as a config file has it; unchanged if this version of the code does not know it."""
    try:
        return dump(make_config(config, "the record"))
    except UsageError:
        return config


def _kept(arguments: tuple[str, ...]) -> list[str]:
    """Returns the arguments without the options that the config replaces, and those that concern one run only."""
    kept: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument.partition("=")[0] not in NOT_REPEATED:
            kept.append(argument)
        elif "=" not in argument and waiting:
            waiting.pop(0)
    return kept
