from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.gpu import SHARES, run_part
from benchmarks.gpu_parts import PARTS, Settings, look_at_device

HAS_GPU = bool(tf.config.list_physical_devices("GPU"))


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_every_part_has_its_share_of_the_minutes() -> None:
    assert set(SHARES) == set(PARTS)
    first_parts, last = list(SHARES.values())[:-1], list(SHARES)[-1]
    assert sum(first_parts) < 0.85, "nothing would be left for the last part"
    assert last == "cifar96"


@pytest.mark.parametrize("right", [True, False])
def test_what_a_part_finds_is_its_last_line(right: bool) -> None:
    found = {"right": right, "text": "2 GPUs", "figures": {"gpus": 2}}
    outcome = run_part(python(f"print('Epoch 1'); print({json.dumps(found)!r})"), 60)
    assert outcome.state == ("right" if right else "wrong")
    assert (outcome.text, outcome.figures) == ("2 GPUs", {"gpus": 2})


def test_a_part_that_takes_too_long_is_late() -> None:
    outcome = run_part(python("import time; time.sleep(60)"), 0.5)
    assert (outcome.state, outcome.text) == ("late", "not done in 0.5 s")


def test_a_part_that_fails_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run_part(python("raise SystemExit('no space left')"), 60)
    assert (outcome.state, outcome.text) == ("failed", "no space left")
    assert "no space left" in capsys.readouterr().err


def test_a_part_without_time_is_not_begun() -> None:
    assert run_part(["no such program"], 0).state == "late"


@pytest.mark.skipif(HAS_GPU, reason="there is a GPU")
def test_without_a_gpu_only_the_quick_size_is_right(tmp_path: Path) -> None:
    found = look_at_device(Settings("cifar10_sample", tmp_path, quick=False))
    assert not found.right
    assert "TensorFlow sees no GPU" in found.text
    quick = look_at_device(Settings("cifar10_sample", tmp_path, quick=True))
    assert quick.right
    assert "no GPU; " in quick.text
    assert np.isfinite(quick.figures["machine"]["float32_gflop_per_second"])


@pytest.mark.long
def test_all_parts_in_the_quick_size() -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--quick", "--minutes=30"]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    report = json.loads(finished.stdout.splitlines()[-1])
    assert {name: part["state"] for name, part in report["parts"].items()} == dict.fromkeys(SHARES, "right")
    assert report["parts"]["resnet50"]["figures"]["images_per_second"] > 0
