"""The command as a user types it, on images that take seconds to learn."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from components.artifacts import Evaluation, Examples
from pipeline.orchestrator.run_record import RunFolder
from pipeline.store.local_store import Store

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

    def runs(self) -> int:
        return len(list((self.root / "runs").glob("*")))

    def stop(self, pattern: str, number: signal.Signals, *arguments: str) -> None:
        """Sends the command a signal as soon as a file of such a name is below the root."""
        process = subprocess.Popen(self.command(*arguments), cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        while not list(self.root.glob(pattern)):
            assert process.poll() is None, f"the run ended before there was {pattern}"
            time.sleep(0.02)
        process.send_signal(number)
        process.wait()

    def on_terminal(self, press: Callable[[], bytes], *arguments: str) -> tuple[int, str]:
        """The exit code and what a terminal got to show; `press` says which keys are pressed, and when."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(REPOSITORY)
            os.execve(sys.executable, self.command(*arguments), {**os.environ, "TERM": "xterm"})
        os.set_blocking(terminal, False)
        shown = b""
        while True:
            try:
                shown += (got := os.read(terminal, 1 << 16))
                if not got:
                    break
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:  # so Linux tells that nobody writes any more
                break
            if keys := press():
                os.write(terminal, keys)
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


def states(report: dict[str, Any]) -> dict[str, str]:
    return {node["component"]: node["state"] for node in report["nodes"]}


@pytest.fixture(scope="module")
def line(tiny: Examples, tmp_path_factory: pytest.TempPathFactory) -> Line:
    folder = tmp_path_factory.mktemp("line")
    config = {
        "ingest": {"dataset": str(tiny.directory), "splits": tiny.splits},
        "train": {
            "recipe": "small_data",
            "epochs": EPOCHS,
            "batch_size": 16,
            "widths": [8, 8, 8],
            "resolution_schedule": [[0, 1]],
        },
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
    assert Path(first["report"]) == line.root / "runs" / "first" / "report.html"
    assert Path(first["report"]).exists()


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
    page = re.search(r"^report +(.*)$", finished.stdout, re.MULTILINE)
    assert page is not None
    assert line.root / "evaluate" in (REPOSITORY / page[1]).parents
    assert (REPOSITORY / page[1]).exists()
    assert sorted(path for path in line.root.rglob("*") if "runs" not in path.parts) == before


def test_the_plan_says_what_changed(line: Line, first: dict[str, Any]) -> None:
    finished = line.run("--plan", "--set", "train.random_seed=7")
    assert finished.returncode == 0
    assert "config: random_seed 0 → 7" in finished.stdout
    assert "input: train will run" in finished.stdout
    planned = line.report("--plan", "--set", "train.random_seed=7")
    assert planned["nothing_to_do"] is False
    assert [(node["state"], node["reasons"]) for node in planned["nodes"][1:3]] == [
        ("cached", []), ("run", ["config: random_seed 0 → 7"]),
    ]  # fmt: skip


def test_a_model_that_was_published_before_is_nothing_new(line: Line, first: dict[str, Any]) -> None:
    finished = line.run("--force=push", "--run_id=again")
    assert finished.returncode == 0
    assert "nothing new: this model was published before, as version 1" in finished.stdout
    record = RunFolder(line.root, "again").read()
    assert record is not None
    assert record.state == "nothing new"
    assert line.versions() == ["1"]


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
    gate = ("--set", 'evaluate.thresholds={"cross_entropy": {"max": 0.000001}}')
    report = line.report(*gate)
    assert report["exit_code"] == 3
    assert report["status"] == "not blessed"
    assert states(report) == {
        "ingest": "cached", "normalize": "cached", "train": "cached", "evaluate": "ran", "push": "skipped",
    }  # fmt: skip
    assert "cross_entropy" in report["reasons"][0]
    assert line.versions() == ["1"]
    again = line.run(*gate)
    assert again.returncode == 3
    assert "nothing to do: nothing changed since the last run\nnot pushed, not blessed: " in again.stdout


def test_another_model_is_compared_with_the_published_one(line: Line, first: dict[str, Any]) -> None:
    gate = 'evaluate.thresholds={"accuracy": {"min": 0.1, "change": {"min": 0.0}}}'
    report = line.report("--set", "train.random_seed=1", "--set", gate, "--to=evaluate")
    evaluated = next(node for node in report["nodes"] if node["component"] == "evaluate")
    evaluation = Evaluation.read(line.root / evaluated["artifact"])
    assert evaluation.baseline is not None
    assert evaluation.baseline.version == first["pushed"]["version"]
    assert evaluation.baseline.metrics["accuracy"] == first["metrics"]["accuracy"]
    change = evaluation.checks[-1]
    assert (change.of, change.metric, change.bound) == ("change", "accuracy", ">= 0")
    assert change.value == pytest.approx(evaluation.metrics["accuracy"] - first["metrics"]["accuracy"])


def test_a_run_that_is_told_to_stop_ends_after_a_component_with_an_exit_code_of_its_own(
    line: Line, tmp_path: Path
) -> None:
    told = Line(tmp_path, line.config)
    run = subprocess.Popen(told.command("--output=json"), cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("normalize/*/attempt-*")):
        assert run.poll() is None
        time.sleep(0.02)
    run.send_signal(signal.SIGTERM)
    out, _ = run.communicate()
    assert run.returncode == 130
    report = json.loads(out.splitlines()[-1])
    assert report["status"] == "interrupted"
    assert states(report)["train"] != "ran"


@pytest.mark.long
def test_two_runs_at_once_whose_bundles_run_twice_end_in_one_version(
    line: Line, first: dict[str, Any], tmp_path: Path
) -> None:
    both = Line(tmp_path, line.config)
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    command = both.command("--output=json", "--direct_runner_bundle_repeat=1")
    runs = [subprocess.Popen(command, cwd=REPOSITORY, text=True, **pipe) for _ in range(2)]
    reports = [json.loads(run.communicate()[0].splitlines()[-1]) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], reports
    digests = [{node["component"]: node["digest"] for node in each["nodes"]} for each in (first, *reports)]
    assert digests[0] == digests[1] == digests[2]
    assert [report["status"] for report in reports].count("pushed") == 1
    assert both.versions() == ["1"]


@pytest.mark.long
def test_whatever_stops_a_run_the_same_command_goes_on(line: Line, tmp_path: Path) -> None:
    stopped = Line(tmp_path, line.config)
    epochs = ("--set", "train.epochs=30", "--set", "push.variants=[]")
    checkpoint = "train/*/scratch/*.npz"

    def press() -> bytes:
        return b"\x03" if list(tmp_path.glob(checkpoint)) else b""

    code, shown = stopped.on_terminal(press, "--run_id=one", *epochs)
    assert code == 130
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is still hidden"
    assert "stopped: Ctrl-C. The same command goes on" in shown
    record = RunFolder(tmp_path, "one").read()
    assert record is not None
    assert record.state == "interrupted"
    assert [node.state for node in record.nodes] == ["ran", "ran", "failed", "skipped", "skipped"]
    assert record.nodes[2].reason == "stopped by Ctrl-C"

    for path in tmp_path.glob(checkpoint):
        path.unlink()
    stopped.stop(checkpoint, signal.SIGKILL, *epochs)
    stopped.stop("pushed/.staging-*", signal.SIGKILL, *epochs, "--run_id=two")
    assert "Going on after" in RunFolder(tmp_path, "two").log.read_text()
    assert stopped.versions() == []
    code, shown = stopped.on_terminal(bytes, *epochs)
    assert code == 0
    assert re.search(r"SavedModel +\S+/pushed/1\r\n", shown)
    assert re.search(r"report +\S+/report.html\s*$", shown)
    assert stopped.versions() == ["1"]
    assert stopped.run(module="runs").stdout.count("killed") == 2


@pytest.mark.long
def test_a_training_that_takes_too_long_is_ended_and_resumes(line: Line, first: dict[str, Any], tmp_path: Path) -> None:
    limited = Line(tmp_path, line.config)
    assert limited.run("--to=normalize").returncode == 0
    long = ("--set", "train.epochs=20000", "--to=train")
    finished = limited.run("--run_id=late", *long, "--set", "train.time_limit_minutes=0.5")
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert (
        "train failed: train took longer than train.time_limit_minutes (0.5) and was ended. The log shows what it was "
        "doing. If it was only slow, raise the limit."
    ) in finished.stdout
    record = RunFolder(tmp_path, "late").read()
    assert record is not None
    assert (record.state, record.nodes[2].state) == ("failed", "failed")
    assert "components/train/" in RunFolder(tmp_path, "late").log.read_text()

    report = limited.report("--run_id=again", *long, "--set", "train.time_limit_minutes=0.4")
    assert (report["exit_code"], report["status"]) == (1, "failed")
    assert "Going on after" in RunFolder(tmp_path, "again").log.read_text()


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


def test_what_is_published_names_no_machine(line: Line, first: dict[str, Any]) -> None:
    version = Path(first["pushed"]["directory"])
    for path in (file for file in version.rglob("*") if file.is_file()):
        for place in (REPOSITORY, line.root):
            assert str(place).encode() not in path.read_bytes(), f"{path} holds {place}"
    provenance = (version / "assets.extra" / "provenance.json").read_text()
    assert '"/' not in provenance
    assert '"host"' not in provenance


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "train.epochs=-1"), "train.epochs: Input should be greater than or equal to 0, found -1."),
        (("--from", "push", "--to", "train"), "--from push comes after --to train."),
        (("--run_id", "../x"), "--run_id '../x': expected up to 100 letters"),
        (
            ("--piepline_root=x",),
            "--piepline_root: neither this command nor Beam's DirectRunner knows",
        ),
        (("--pipeline_root=/proc/x",), "/proc/x cannot be written"),
    ],
)
def test_a_command_that_cannot_be_used_is_refused(
    line: Line, first: dict[str, Any], arguments: tuple[str, ...], message: str
) -> None:
    before = line.runs()
    finished = line.run(*arguments)
    assert finished.returncode == 2
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr + finished.stdout
    assert line.runs() == before


def test_a_refusal_that_only_beam_can_give_ends_the_run(line: Line, first: dict[str, Any]) -> None:
    report = line.report("--force=push", "--direct_num_workers=x")
    assert (report["exit_code"], report["status"]) == (2, "usage error")
    assert report["reasons"] == ["Beam cannot read its options: argument --direct_num_workers: invalid int value: 'x'."]
    record = RunFolder(line.root, report["run_id"]).read()
    assert record is not None
    assert record.state == "failed"


def test_words_that_cannot_be_read_are_refused_in_json_too(line: Line) -> None:
    report = line.report("--to=nowhere")
    assert (report["exit_code"], report["status"], report["run_id"]) == (2, "usage error", None)
    assert "argument --to: invalid choice: 'nowhere' (choose from" in report["reasons"][0]


def test_a_split_that_does_not_exist_fails_with_the_alternatives(line: Line, first: dict[str, Any]) -> None:
    finished = line.run("--set", "ingest.splits.test=tset")
    assert finished.returncode == 1
    assert "ingest failed: " in finished.stdout
    assert "tset" in finished.stdout
    assert "train" in finished.stdout
    assert [each.digest for each in Store(line.root).manifests("ingest")] == [first["nodes"][0]["digest"]]


@pytest.mark.long
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
