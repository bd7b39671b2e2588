"""The command as a user types it, on images that take seconds to learn."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from components.artifacts import Evaluation, Examples
from pipeline.store import Store

REPOSITORY = Path(__file__).parent.parent
EPOCHS = 6


class Line(NamedTuple):
    """A root and a config to run in it."""

    root: Path
    config: Path

    def command(self, *arguments: str, module: str = "run") -> list[str]:
        shared = ["--pipeline_root", str(self.root), *(["--config", str(self.config)] if module == "run" else [])]
        return [sys.executable, "-m", f"pipeline.{module}", *shared, *arguments]

    def run(self, *arguments: str, module: str = "run", cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments, module=module), capture_output=True, text=True, cwd=cwd)

    def report(self, *arguments: str) -> dict[str, Any]:
        """What `--output=json` ends stdout with."""
        finished = self.run("--output=json", *arguments)
        return json.loads(finished.stdout.splitlines()[-1]) | {"exit_code": finished.returncode}

    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.root / "pushed").iterdir() if path.name.isdigit())


def states(report: dict[str, Any]) -> dict[str, str]:
    return {node["component"]: node["state"] for node in report["nodes"]}


@pytest.fixture(scope="module")
def line(tiny: Examples, tmp_path_factory: pytest.TempPathFactory) -> Line:
    folder = tmp_path_factory.mktemp("line")
    config = {
        "ingest": {"dataset": str(tiny.directory), "splits": tiny.splits},
        "train": {"recipe": "fast", "epochs": EPOCHS, "batch_size": 16, "widths": [8, 8, 8]},
        "evaluate": {"thresholds": {"accuracy": {"min": 0.6}}},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return Line(folder / "root", folder / "config.json")


@pytest.fixture(scope="module")
def first(line: Line) -> dict[str, Any]:
    return line.report("--run_id=first")


def test_one_command_makes_everything(line: Line, first: dict[str, Any]) -> None:
    assert first["exit_code"] == 0, first
    assert first["status"] == "pushed"
    assert set(states(first).values()) == {"ran"}
    assert first["metrics"]["accuracy"] >= 0.6
    assert first["pushed"]["version"] == 1


def test_what_is_pushed_classifies(line: Line, first: dict[str, Any], tiny: Examples) -> None:
    import tensorflow as tf

    model = tf.saved_model.load(first["pushed"]["directory"])
    image = np.full((1, 32, 32, 3), 60, np.uint8)
    image[..., 2] = 160
    found = model.signatures["serving_default"](image=tf.constant(image))
    assert found["class_name"].numpy().tolist() == [b"blue"]
    assert list(Path(first["pushed"]["directory"]).glob("assets.extra/*.mlpackage"))


def test_a_second_run_does_nothing_and_says_so(line: Line, first: dict[str, Any]) -> None:
    before = sorted(path for path in line.root.rglob("*") if "runs" not in path.parts)
    finished = line.run()
    assert finished.returncode == 0, finished.stderr
    assert "nothing to do" in finished.stdout
    assert sorted(path for path in line.root.rglob("*") if "runs" not in path.parts) == before


def test_the_plan_says_what_changed(line: Line, first: dict[str, Any]) -> None:
    finished = line.run("--plan", "--set", "train.random_seed=7")
    assert finished.returncode == 0
    assert "config: random_seed 0 → 7" in finished.stdout
    assert "input: train will run" in finished.stdout


def test_an_edited_function_is_a_miss_that_names_it(line: Line, first: dict[str, Any], tmp_path: Path) -> None:
    for package in ("pipeline", "components"):
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("datasets"))
    unchanged = line.run("--plan", cwd=tmp_path)
    assert unchanged.stdout.count("cached") == 5, unchanged.stdout + unchanged.stderr
    loop = tmp_path / "components" / "train" / "loop.py"
    edited = loop.read_text().replace(
        "    def _train_epoch(self", "    def _unused(self): ...\n\n    def _train_epoch(self"
    )
    assert edited != loop.read_text()
    loop.write_text(edited)
    planned = line.run("--plan", cwd=tmp_path)
    assert "code: components/train/loop.py:Training changed" in planned.stdout


def test_a_model_that_is_not_good_enough_is_not_pushed(line: Line, first: dict[str, Any]) -> None:
    report = line.report("--set", 'evaluate.thresholds={"cross_entropy": {"max": 0.000001}}')
    assert report["exit_code"] == 3
    assert report["status"] == "not blessed"
    assert states(report) == {
        "ingest": "cached", "normalize": "cached", "train": "cached", "evaluate": "ran", "push": "skipped",
    }  # fmt: skip
    assert "cross_entropy" in report["reasons"][0]
    assert line.versions() == ["1"]


def test_another_model_is_compared_with_the_published_one(line: Line, first: dict[str, Any]) -> None:
    gate = 'evaluate.thresholds={"accuracy": {"min": 0.1, "change": {"at_least": 0.0}}}'
    report = line.report("--set", "train.random_seed=1", "--set", gate, "--to=evaluate")
    evaluated = next(node for node in report["nodes"] if node["component"] == "evaluate")
    evaluation = Evaluation.read(line.root / evaluated["artifact"])
    assert evaluation.baseline is not None
    assert evaluation.baseline.version == first["pushed"]["version"]
    assert evaluation.baseline.metrics["accuracy"] == first["metrics"]["accuracy"]
    change = evaluation.checks[-1]
    assert (change.of, change.metric, change.bound) == ("change", "accuracy", ">= 0")
    assert change.value == pytest.approx(evaluation.metrics["accuracy"] - first["metrics"]["accuracy"])


def test_bundles_that_run_twice_end_in_one_version(line: Line, first: dict[str, Any], tmp_path: Path) -> None:
    twice = Line(tmp_path, line.config)
    report = twice.report("--direct_runner_bundle_repeat=1")
    assert report["exit_code"] == 0, report
    digests = [{node["component"]: node["digest"] for node in each["nodes"]} for each in (first, report)]
    assert digests[0] == digests[1]
    assert twice.versions() == ["1"]


def test_a_killed_training_goes_on_where_it_was(line: Line, tmp_path: Path) -> None:
    killed = Line(tmp_path, line.config)
    epochs = ("--set", "train.epochs=40")
    process = subprocess.Popen(killed.command(*epochs), cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    while not list(tmp_path.glob("train/*/scratch/*.npz")):
        assert process.poll() is None, "the run ended before its first checkpoint"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    report = killed.report(*epochs)
    assert states(report) == {
        "ingest": "cached", "normalize": "cached", "train": "ran", "evaluate": "ran", "push": "ran",
    }  # fmt: skip
    log = (tmp_path / "runs" / report["run_id"] / "log.txt").read_text()
    assert "Going on after" in log
    assert killed.versions() == ["1"]
    assert "killed" in killed.run(module="runs").stdout


def test_lineage_tells_of_every_pushed_file(line: Line, first: dict[str, Any], tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(first["pushed"]["directory"], copy)
    for path in (copy / "saved_model.pb", *copy.glob("assets.extra/*.mlpackage/Data/**/*.bin")):
        command = [sys.executable, "-m", "pipeline.lineage", str(path)]
        told = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
        assert "as they were pushed" in told.stdout, told.stderr
        assert "run        first" in told.stdout
        for component in ("ingest", "normalize", "train", "evaluate"):
            assert f"\n{component}  " in told.stdout
    (copy / "saved_model.pb").write_bytes(b"something else")
    command = [sys.executable, "-m", "pipeline.lineage", str(copy / "saved_model.pb")]
    assert "CHANGED" in subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "train.epochs=0"), "train.epochs: Input should be greater than 0, found 0."),
        (("--from", "push", "--to", "train"), "--from push comes after --to train."),
        (("--run_id", "../x"), "--run_id '../x': expected up to 100 letters"),
        (
            ("--force=ingest", "--piepline_root=x"),
            "--piepline_root: neither this command nor Beam's DirectRunner knows",
        ),
        (("--pipeline_root=/proc/x",), "/proc/x cannot be written"),
    ],
)
def test_a_command_that_cannot_be_used_is_refused(
    line: Line, first: dict[str, Any], arguments: tuple[str, ...], message: str
) -> None:
    finished = line.run(*arguments)
    assert finished.returncode == 2
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr + finished.stdout


def test_a_split_that_does_not_exist_fails_with_the_alternatives(line: Line, first: dict[str, Any]) -> None:
    finished = line.run("--set", "ingest.splits.blessing=tset")
    assert finished.returncode == 1
    assert "ingest failed: " in finished.stdout
    assert "tset" in finished.stdout
    assert "train" in finished.stdout
    assert len(list(line.root.glob("ingest/*/attempt-*"))) == len(list(Store(line.root).manifests("ingest")))


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounts a small file system: Linux, as root")
def test_a_full_disk_is_named_and_leaves_nothing_half_written(line: Line, tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(tmp_path)], check=True)
    try:
        report = Line(tmp_path, line.config).report()
        assert report["exit_code"] == 1
        assert "disk is full" in json.dumps(report)
        assert not (tmp_path / "pushed").exists() or not Line(tmp_path, line.config).versions()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
