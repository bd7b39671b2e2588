from __future__ import annotations

import json
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


def test_auto_takes_bfloat16_on_a_gpu(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.write_text(OLD)
    (machine.parent / "gpu").touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert choose_precision("auto") == ("bfloat16", "there is a GPU")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # hidden from TensorFlow
    assert choose_precision("auto").type == "float32"


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
