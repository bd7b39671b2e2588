from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Examples
from components.train import Train, TrainConfig, precision
from components.train.precision import choose_precision
from components.train.training import train
from tests.components.train.helpers import make_workspace, quick_config, statistics_of

INTEL = "processor\t: 0\nmodel name\t: Xeon\nflags\t\t: fpu avx512f avx512_bf16 amx_bf16\n"
OLD = "processor\t: 0\nflags\t\t: fpu avx2\nbugs\t\t: bf16\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd i8mm bf16\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a GPU; the file lists what its processor can do."""
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setattr(precision, "GPU_DEVICE", tmp_path / "gpu")
    monkeypatch.setattr(precision, "CPU_INFO", tmp_path / "cpuinfo")
    return tmp_path / "cpuinfo"


@pytest.mark.parametrize(
    ("cpu_info", "chosen", "reason"),
    [
        (INTEL, "bfloat16", "the processor has avx512_bf16"),
        (ARM, "bfloat16", "the processor has bf16"),
        (OLD, "float32", "the processor has none of avx512_bf16, amx_bf16, bf16"),
        ("", "float32", "the processor has none of avx512_bf16, amx_bf16, bf16"),
    ],
)
def test_auto_follows_the_processor(machine: Path, cpu_info: str, chosen: str, reason: str) -> None:
    machine.write_text(cpu_info)
    assert choose_precision("auto") == (chosen, reason)


def test_where_nothing_tells_float32_is_chosen(machine: Path) -> None:
    assert choose_precision("auto").type == "float32"


def test_what_turns_the_unit_off_is_heard(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.write_text(INTEL)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    reason = "the processor has avx512_bf16, and TF_ENABLE_ONEDNN_OPTS=0 leaves it unused"
    assert choose_precision("auto") == ("float32", reason)


@pytest.fixture
def gpu(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with a GPU and NVIDIA's library; the file is its nvidia-smi, which is not there yet."""
    machine.write_text(OLD)
    (machine.parent / "gpu").touch()
    (machine.parent / "nvidia" / "cudnn").mkdir(parents=True)
    monkeypatch.syspath_prepend(machine.parent)
    monkeypatch.setenv("PATH", str(machine.parent), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    precision._lowest_capability.cache_clear()
    yield machine.parent / "nvidia-smi"
    precision._lowest_capability.cache_clear()


@pytest.mark.parametrize(
    ("answer", "chosen", "reason"),
    [
        ("9.0", "bfloat16", "there is a GPU of compute capability 9"),
        ("9.0\n7.5", "float32", "the GPU has compute capability 7.5, and bfloat16 needs 8"),
        ("No devices were found", "float32", "there is a GPU, and nvidia-smi does not say what it can do"),
    ],
    ids=["H100", "with a T4", "unknown"],
)
def test_auto_follows_the_gpu(gpu: Path, answer: str, chosen: str, reason: str) -> None:
    gpu.write_text(f"#!/bin/sh\nprintf '%s\\n' '{answer}'\n")
    gpu.chmod(0o755)
    assert choose_precision("auto") == (chosen, reason)


def test_a_gpu_that_tensorflow_cannot_use_counts_for_nothing(
    gpu: Path, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.write_text(INTEL)
    assert choose_precision("auto").type == "float32"  # without nvidia-smi, nobody knows the GPU
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # hidden from TensorFlow
    assert choose_precision("auto").reason == "the processor has avx512_bf16"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    (gpu.parent / "nvidia" / "cudnn").rmdir()
    importlib.invalidate_caches()
    assert choose_precision("auto").reason == "the processor has avx512_bf16"


@pytest.mark.parametrize(("gain", "warns"), [(0.8, True), (1.9, False)])
def test_a_unit_that_is_not_faster_is_told_of(
    gain: float, warns: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert precision._measure_gain() > 0
    monkeypatch.setattr(precision, "_measure_gain", lambda: gain)
    precision.warn_if_slow()
    assert ("in bfloat16 is 0.8 times as fast as in float32 here" in caplog.text) == warns


def test_what_is_named_is_taken_on_any_machine(machine: Path) -> None:
    assert choose_precision("bfloat16").type == "bfloat16"
    assert choose_precision("float32").type == "float32"


def test_the_arithmetic_is_part_of_the_key(machine: Path) -> None:
    component = Train(TrainConfig())
    machine.write_text(INTEL)
    fast = component.identity()
    machine.write_text(OLD)
    slow = component.identity()
    assert (fast.pop("precision"), slow.pop("precision")) == ("bfloat16", "float32")
    assert fast == slow
    named = Train(TrainConfig.model_validate({"precision": "float32"}))
    assert named.identity() == component.identity()  # what was chosen counts, not how


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"recipe": "transfer"}, "only a head is fitted"),
        ({"recipe": "tutorial"}, "the network `tutorial` knows no other"),
        ({"recipe": "finetune_keras"}, "the network `pretrained` knows no other"),
    ],
)
def test_bfloat16_without_effect_is_refused(values: dict[str, str], reason: str) -> None:
    assert TrainConfig.model_validate(values).arithmetic == ("float32", reason)
    with pytest.raises(ValueError, match=f"precision bfloat16 has no effect: {reason}. Leave it out"):
        TrainConfig.model_validate({**values, "precision": "bfloat16"})


@pytest.mark.parametrize("recipe", ["small_data", "cifar96"])
def test_both_arithmetics_learn_and_export_float32(recipe: str, tiny: Examples, tmp_path: Path) -> None:
    histories = {}
    for name in ("float32", "bfloat16"):
        config = quick_config(recipe=recipe, precision=name)
        model = train(config, make_workspace(tmp_path / name), tiny, statistics_of(tiny))
        assert model.precision == name
        assert model.summary()["precision"] == name
        assert model.validation_accuracy == 1.0
        pixels = tf.saved_model.load(str(model.saved_model)).signatures["pixels"]
        computed = {tensor.dtype for operation in pixels.graph.get_operations() for tensor in operation.outputs}
        assert tf.bfloat16 not in computed
        histories[name] = [epoch["loss"] for epoch in json.loads((model.folder / "history.json").read_text())]
    assert histories["float32"] != histories["bfloat16"]
    np.testing.assert_allclose(histories["bfloat16"][0], histories["float32"][0], rtol=0.05)


def test_a_training_that_another_processor_began_starts_anew(
    machine: Path, tiny: Examples, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = quick_config(precision="auto", epochs=1.0)
    for cpu_info, chosen in ((OLD, "float32"), (INTEL, "bfloat16")):
        machine.write_text(cpu_info)
        assert "of another training: training starts anew" not in caplog.text
        model = train(config, make_workspace(tmp_path / "work"), tiny, statistics_of(tiny))
        assert model.precision == chosen
    assert "of another training: training starts anew" in caplog.text
