from __future__ import annotations

import importlib
from pathlib import Path

from benchmarks import all as all_benchmarks
from benchmarks.all import QUICK, preparation, run

# Programs that make data, parts of other programs, and what needs a machine to itself for hours, a GPU, or a browser.
NOT_MEASURED = {"__init__", "all", "machine", "changed_images", "draw_sample", "prepare_cifar10", "synthetic_images"}
NOT_MEASURED |= {"training_steps", "training_curve", "limited", "made_artifacts", "recipe_options", "gpu_parts"}
NOT_MEASURED |= {"curves", "gpu", "demo_on_device", "review"}


def test_every_benchmark_has_a_quick_size() -> None:
    programs = {path.stem for path in Path(all_benchmarks.__file__).parent.glob("*.py")}
    assert set(QUICK) == programs - NOT_MEASURED


def test_only_what_is_needed_is_prepared() -> None:
    assert preparation(["gate", "publishing"]) == []
    assert preparation(["train"]) == ["benchmarks.prepare_cifar10"]
    assert [command.split()[0] for command in preparation(["gate", "evaluate"])] == ["pipeline.run"] * 2


def test_a_result_says_what_was_run_where_and_what_it_printed(tmp_path: Path) -> None:
    result = run("benchmarks.draw_sample --help", str(tmp_path), 600)
    assert result is not None
    assert result["command"] == "python -m benchmarks.draw_sample --help"
    assert result["exit_code"] == 0
    assert result["processor_seconds"] >= 0
    assert any("Draws `cifar10_sample`" in line for line in result["printed"])
    assert result["machine_before"]["float32_gflop_per_second"] > 0
    assert result["machine_after"]["bfloat16_gflop_per_second"] > 0


def test_the_folder_of_this_run_is_not_in_the_result(tmp_path: Path) -> None:
    result = run("benchmarks.draw_sample --data_dir=WORK/none --output=WORK/out", str(tmp_path), 600)
    assert result is not None
    assert result["exit_code"] == 1
    assert str(tmp_path) not in str(result)
    assert "WORK/none" in result["command"]


def test_what_does_not_end_in_time_has_no_result(tmp_path: Path) -> None:
    assert run("benchmarks.publishing --pushes 1000000", str(tmp_path), 0.5) is None


def test_all_of_them_are_programs() -> None:
    for name in QUICK:
        assert importlib.import_module(f"benchmarks.{name}").__doc__
