"""A real Airflow, which wants an environment of its own: `make test-airflow` installs one and names it in AIRFLOW."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pipeline.orchestrator.run_record import run_records
from pipeline.schedule.cron import parse_cron
from pipeline.schedule.emit import emit
from tests.pipeline.schedule.test_main import config, photos  # noqa: F401

AIRFLOW = os.environ.get("AIRFLOW")
pytestmark = pytest.mark.skipif(not AIRFLOW, reason="asked for by `make test-airflow`")


def airflow(home: Path, *arguments: str, exit_code: int = 0) -> str:
    own = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    command = [str(AIRFLOW), *arguments]
    finished = subprocess.run(
        command, env=os.environ | own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert finished.returncode == exit_code, finished.stdout
    return finished.stdout


def emitted(home: Path, arguments: list[str]) -> None:
    (home / "dags").mkdir(parents=True, exist_ok=True)
    text = emit("airflow", parse_cron("0 3 * * 1-5"), {"--timezone": "Europe/Paris"}, arguments)
    (home / "dags" / "classifier.py").write_text(text)


def test_airflow_loads_the_dag_and_runs_the_pipeline(config: Path, tmp_path: Path) -> None:  # noqa: F811
    home, root = tmp_path / "airflow", tmp_path / "root"
    emitted(home, [f"--config={config}", f"--pipeline_root={root}", "--to=normalize"])
    airflow(home, "db", "migrate")
    airflow(home, "dags", "reserialize")
    assert "No data found" in airflow(home, "dags", "list-import-errors")
    airflow(home, "dags", "test", "classifier")
    assert [record.state for record in run_records(root)] == ["completed"]
    (tmp_path / "photos").rename(tmp_path / "moved")
    emitted(home, [f"--config={config}", f"--pipeline_root={root}", "--to=normalize", "--force=ingest"])
    airflow(home, "dags", "test", "classifier", exit_code=1)
    assert [record.state for record in run_records(root)] == ["completed", "failed"]
