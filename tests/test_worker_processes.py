"""The command with Beam's worker processes on this machine, compared with the one without them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.artifacts import Examples
from pipeline.orchestrator.run_record import RunFolder

REPOSITORY = Path(__file__).parent.parent
PROCESSES = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")


def run(root: Path, tiny: Examples, *options: str) -> dict[str, Any]:
    """The report of ingest and normalize; the key "driver" is the process of the command."""
    settings = {"ingest.dataset": tiny.directory, "ingest.splits": json.dumps(tiny.splits)}
    settings["normalize.shard_examples"] = 10  # enough for several workers
    given = [f"--set={name}={value}" for name, value in settings.items()]
    command = [sys.executable, "-m", "pipeline.run", "--to=normalize", f"--pipeline_root={root}", "--output=json"]
    with subprocess.Popen(
        [*command, "--run_id=run", *given, *options], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as process:
        output, _ = process.communicate()
    assert process.returncode == 0, output
    return json.loads(output.splitlines()[-1]) | {"driver": process.pid}


@pytest.mark.long
def test_worker_processes_make_the_same_as_one_process(tiny: Examples, tmp_path: Path) -> None:
    spread, alone = run(tmp_path / "spread", tiny, *PROCESSES), run(tmp_path / "alone", tiny)
    for report in (spread, alone):
        assert [node["state"] for node in report["nodes"][:2]] == ["ran", "ran"]
    assert [node["digest"] for node in spread["nodes"][:2]] == [node["digest"] for node in alone["nodes"][:2]]

    folder = RunFolder(tmp_path / "spread", "run")
    workers = {folder.read_node("ingest").worker, *folder.scanned_by("normalize")}
    assert str(spread["driver"]) not in {worker.split(":")[1] for worker in workers}
