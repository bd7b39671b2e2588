"""How it came to be: what made each artifact, and the command that makes all of it again."""

from __future__ import annotations

import json
import shlex
from typing import Any, NamedTuple

from pipeline.report.run_artifacts import RunArtifacts
from pipeline.store.manifest import Manifest

NOT_REPEATED = ("--config", "--set", "--run_id", "--output", "--from", "--force")


class OriginRow(NamedTuple):
    """One component's part."""

    component: str
    state: str
    reason: str
    manifest: Manifest | None  # None where it made nothing, or what it made is gone


class Origin(NamedTuple):
    """Of everything that a run used or made."""

    rows: tuple[OriginRow, ...]
    libraries: dict[str, str]
    command: str  # as it was typed
    reproduction: str  # a command with the whole config in it
    lost: tuple[str, ...]


def find_origin(run: RunArtifacts) -> Origin:
    """From the record and the manifests."""
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
    """Reads the config as it was, defaults included, from the shell: no file is needed beside the page."""
    text = json.dumps(_without_silence(config), indent=1)
    return f"{_command(('--config=/dev/stdin', *_kept(arguments)))} <<'CONFIG'\n{text}\nCONFIG"


def _without_silence(section: dict[str, Any]) -> dict[str, Any]:
    """Without nulls and the sections that hold nothing else: both stand for what was not said, and some are refused."""
    said = {key: _without_silence(value) if isinstance(value, dict) else value for key, value in section.items()}
    return {key: value for key, value in said.items() if value is not None and value != {}}


def _kept(arguments: tuple[str, ...]) -> list[str]:
    """Without the options that the config replaces, and those that speak of one run."""
    kept: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument.partition("=")[0] not in NOT_REPEATED:
            kept.append(argument)
        elif "=" not in argument and waiting:
            waiting.pop(0)
    return kept
