from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.errors import UsageError
from pipeline.schedule.cron import parse_cron
from pipeline.schedule.emit import emit

NIGHTLY = parse_cron("0 3 * * Mon-Fri")
ARGUMENTS = ["--config=my config.json", "--set", "ingest.dataset=./50% photos"]


def test_a_crontab_line_calls_the_command_where_it_was_typed() -> None:
    line = emit("crontab", NIGHTLY, {}, ARGUMENTS).splitlines()[-1]
    assert line.startswith(f"0 3 * * 1-5 cd {Path.cwd()} && flock")
    assert f"{sys.executable} -m pipeline.run --runner=DirectRunner '--config=my config.json'" in line
    assert r"50\% photos" in line  # cron takes a bare % for the end of the line


def test_a_folder_with_a_percent_sign_is_one_to_each_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "50% photos").mkdir()
    monkeypatch.chdir(tmp_path / "50% photos")
    assert r"/50\% photos' && flock" in emit("crontab", NIGHTLY, {}, [])
    assert "WorkingDirectory=" + str(tmp_path / "50%% photos") in emit("systemd", NIGHTLY, {}, [])


@pytest.mark.parametrize(
    ("scheduler", "asked", "named"),
    [
        ("crontab", {"--timezone": "Europe/Paris"}, "--timezone"),
        ("crontab", {"--missed": "once", "--jitter_seconds": 60}, "--missed, --jitter_seconds"),
        ("systemd", {"--on_failure": "mail me", "--missed": "never"}, "--on_failure"),
        ("kubernetes", {"--on_change": True, "--missed": "never"}, "--on_change"),
        ("airflow", {"--missed": "never"}, "--missed"),
        ("airflow", {"--timezone": "Europe/Paris", "--image": "mine:1"}, "--image"),
    ],
)
def test_what_a_scheduler_cannot_say_is_refused_by_name(scheduler: str, asked: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=rf"--emit {scheduler} cannot say {named}, only "):
        emit(scheduler, NIGHTLY, asked, [])


def test_what_it_can_say_it_says() -> None:
    asked = {"--jitter_seconds": 90, "--missed": "never"}
    timer = emit("systemd", NIGHTLY, asked, [])
    assert "RandomizedDelaySec=90\nPersistent=false\n" in timer
    assert "Persistent=true\n" in emit("systemd", NIGHTLY, {}, [])
    assert "startingDeadlineSeconds: 30\n" in emit("kubernetes", NIGHTLY, {"--missed": "never"}, [])
    assert emit("crontab", NIGHTLY, {"--missed": "never"}, []) == emit("crontab", NIGHTLY, {}, [])


def test_systemd_verifies_what_it_is_given(tmp_path: Path) -> None:
    text = emit("systemd", NIGHTLY, {"--timezone": "Europe/Paris", "--jitter_seconds": 90}, ARGUMENTS)
    _, service, timer = text.split("# ---- /etc/systemd/system/classifier.")
    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 3:0:00 Europe/Paris\n" in timer
    assert "50%% photos" in service
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: the units are not verified")
    for part in (service, timer):
        kind, body = part.split("\n", 1)
        (tmp_path / f"classifier.{kind}").write_text(body)
    units = [str(path) for path in tmp_path.iterdir()]
    finished = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    assert "classifier" not in finished.stderr, finished.stderr


def test_kubernetes_gets_a_cron_job_of_its_schema() -> None:
    import kubernetes_validate

    asked = {"--timezone": "Europe/Paris", "--image": "registry/classifier:1"}
    job = yaml.safe_load(emit("kubernetes", NIGHTLY, asked, ARGUMENTS))
    kubernetes_validate.validate(job, "1.31", strict=True)
    assert (job["spec"]["schedule"], job["spec"]["timeZone"]) == ("0 3 * * 1-5", "Europe/Paris")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "pipeline.run", "--runner=DirectRunner", *ARGUMENTS]


def test_airflow_gets_a_dag_that_runs_the_command() -> None:
    tree = ast.parse(emit("airflow", NIGHTLY, {"--timezone": "Europe/Paris"}, ARGUMENTS))
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert "0 3 * * 1-5" in strings
    assert "Europe/Paris" in strings
    assert any("-m pipeline.run --runner=DirectRunner" in text and "|| [ $? -eq 3 ]" in text for text in strings)
    assert json.dumps(ARGUMENTS[0])[1:-1] in " ".join(strings)
