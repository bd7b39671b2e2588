"""The clock, the figures, and the program on real files; test_push.py has what the card says of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from components.artifacts import Model
from components.component import ComponentError
from components.push import PushConfig
from components.push.coreml import Source
from components.push.exports import Exporter
from components.push.latency import SECONDS, Request, latency, measuring, time_runs
from components.push.measurement import Measurement, core_count
from components.push.runtimes import is_timed, thread_counts


class Clock:
    """Goes on by itself, by as many seconds as each run takes."""

    def __init__(self, run_seconds: float) -> None:
        self.now, self._run_seconds = 0.0, run_seconds

    def __call__(self) -> float:
        return self.now

    def run(self) -> None:
        self.now += self._run_seconds


@pytest.mark.parametrize(
    ("run_seconds", "most", "runs"),
    [(0.001, 100, 100), (0.0625, 100, 16), (0.9, 100, 3), (20.0, 100, 3), (20.0, 1, 1)],
    ids=["fast", "a second is over", "two seconds for three", "very slow", "one is wanted"],
)
def test_runs_take_a_second_unless_they_are_few(run_seconds: float, most: int, runs: int) -> None:
    clock = Clock(run_seconds)
    assert time_runs(clock.run, most, clock) == pytest.approx([run_seconds] * runs)
    assert runs == most or clock.now >= SECONDS


def test_latency_is_in_milliseconds_of_the_middle_and_of_the_slow_end() -> None:
    found = latency([0.001 * run for run in range(1, 102)], 2.02, threads=1)
    assert (found.median_milliseconds, found.p95_milliseconds) == (51, 96)
    assert (found.processor_milliseconds, found.runs, found.threads) == (20, 101, 1)
    assert found.was_disturbed


@pytest.mark.parametrize(
    ("processor_seconds", "threads", "disturbed"),
    [(0.3, 1, False), (0.1, 1, True), (0.1, 2, False), (0.1, None, False)],
)
def test_only_one_thread_that_waited_was_disturbed(
    processor_seconds: float, threads: int | None, disturbed: bool
) -> None:
    assert latency([0.1] * 3, processor_seconds, threads).was_disturbed == disturbed


@pytest.mark.parametrize(
    ("name", "cores", "counts"),
    [
        ("a.tflite", 8, (1, 2)), ("a.tflite", 1, (1,)), ("a.onnx", 2, (1, 2)), ("7", 2, (1, 2)), ("7", 1, (1,)),
        ("a.mlpackage", 8, (None,)), ("a.mlmodel", 1, (None,)),
    ],
)  # fmt: skip
def test_two_threads_need_two_cores_and_core_ml_chooses(name: str, cores: int, counts: tuple[int | None, ...]) -> None:
    assert thread_counts(Path(name), cores) == counts


def test_all_files_are_timed_but_those_of_core_ml_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("7", "a.tflite", "a.onnx", "a.mlpackage", "a.mlmodel")
    for system, timed in (("linux", names[:3]), ("darwin", names)):
        monkeypatch.setattr("sys.platform", system)
        assert tuple(name for name in names if is_timed(Path(name))) == timed


def test_each_file_is_measured_in_its_runtime(model: Model, folder: Path, tmp_path: Path) -> None:
    loaded = tf.saved_model.load(str(model.saved_model))
    exporter = Exporter(Source(loaded, 32, 32, model.class_names, "1", "Colors.", {}), PushConfig())
    files = {"saved_model": model.saved_model}
    files |= {variant: exporter.save(variant, folder) for variant in ("litert", "onnx")}
    measured = _measure(files, tmp_path)
    assert list(measured) == list(files)
    assert [found.runtime[:12] for found in measured.values()] == ["TensorFlow 2", "LiteRT of Te", "ONNX Runtime"]
    for name, found in measured.items():
        assert [each.threads for each in found.latency] == [1, 2][: core_count()]
        assert all(0 < each.median_milliseconds <= each.p95_milliseconds for each in found.latency), name
        assert all(3 <= each.runs <= 5 for each in found.latency), name
        assert found.start_milliseconds > 0, name
        # The runtime itself, hundreds of MB, is no part of it; a page more or less is, for so small a network.
        assert 0 <= found.memory_bytes < 150e6, name
    assert Measurement.model_validate_json(measured["saved_model"].model_dump_json()) == measured["saved_model"]


def test_a_file_that_its_runtime_refuses_is_named(tmp_path: Path) -> None:
    file = tmp_path / "Classifier.tflite"
    file.write_bytes(b"no model at all")
    with pytest.raises(ComponentError) as refusal:
        _measure({"Classifier.tflite": file}, tmp_path)
    said = str(refusal.value)
    assert "Classifier.tflite, threads: 1, ended its process with exit code 1. Nothing was published; " in said
    assert f"{tmp_path / 'latency.txt'} says where it was" in said
    assert "push.measured_runs to 0" in said
    assert "ValueError: " in (tmp_path / "latency.txt").read_text()


def test_a_runtime_that_does_not_answer_in_time_is_ended(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match=r"did not answer within 0\.01 seconds \(push\.max_start_seconds\)"):
        _measure({"saved_model": model.saved_model}, tmp_path, max_start_seconds=0.01)
    assert "Timeout (" in (tmp_path / "latency.txt").read_text()


def test_a_program_whose_caller_was_killed_measures_nothing(tmp_path: Path) -> None:
    results = tmp_path / "latency.json"
    command = [sys.executable, "-m", "components.push.latency", str(results), "120"]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=120)
    assert not results.exists()


def _measure(files: dict[str, Path], folder: Path, max_start_seconds: float = 120) -> dict[str, Measurement]:
    with measuring(folder / "latency.json", folder / "latency.txt", max_start_seconds) as program:
        return program.measurements(Request(files=files, image_height=32, image_width=32, runs=5))
