"""Bounds on size and time."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from components.component import ComponentError
from components.push import PushConfig
from components.push.card import Row
from components.push.limits import require_latency, require_size, require_timed
from components.push.measurement import Latency, Machine, Measurement
from tests.components.push.cards import row

MACHINE = Machine(processor="AMD EPYC 7B13", cores=2, system="Linux x86_64")


def timed(variant: str, milliseconds: float, *, processor_milliseconds: float = 31.2, threads: int | None = 1) -> Row:
    at = Latency(
        threads=threads, median_milliseconds=milliseconds, p95_milliseconds=45, runs=100,
        processor_milliseconds=processor_milliseconds,
    )  # fmt: skip
    measurement = Measurement(runtime="LiteRT 2", start_milliseconds=1, memory_bytes=1, latency=(at,))
    return row("Classifier.tflite", variant, "float32", 60).model_copy(update={"measurement": measurement})


def test_a_file_may_have_as_many_bytes_as_are_allowed() -> None:
    config = PushConfig(max_bytes={"float16": 1000})
    require_size("Classifier.mlpackage", "float16", 1000, config)
    require_size("saved_model", "saved_model", 10**9, config)
    with pytest.raises(ComponentError) as refusal:
        require_size("Classifier.mlpackage", "float16", 1001, config)
    assert str(refusal.value).startswith(
        "Classifier.mlpackage has 1,001 bytes; at most 1,000 are allowed (push.max_bytes.float16). Nothing was "
        "published: take a variant with smaller weights"
    )


def test_a_file_may_take_as_long_as_is_allowed_and_others_any_time() -> None:
    config = PushConfig(variants=("litert", "litert_int8"), max_latency_milliseconds={"litert": 31.2})
    require_latency([timed("litert", 31.2), timed("litert_int8", 1000)], config, MACHINE)


@pytest.mark.parametrize(
    ("row_", "said"),
    [
        (
            timed("litert", 31.25),
            "Classifier.tflite takes 31.2 ms for one image at 1 thread (the median of 100 runs, of which 95 % took at "
            "most 45 ms) in LiteRT 2, on AMD EPYC 7B13; at most 20 ms are allowed "
            "(push.max_latency_milliseconds.litert). Nothing was published: if other programs were busy, run again; or "
            "take a variant with smaller weights, train a smaller network or for smaller images, or allow more.",
        ),
        (timed("litert", 31, processor_milliseconds=3), "had the cores, since it computed for 3 ms: run again, or"),
        (timed("litert", 31, threads=None), "takes 31 ms for one image (the median"),
    ],
    ids=["slow", "on a busy machine", "with threads of its own"],
)
def test_a_slower_file_is_refused(row_: Row, said: str) -> None:
    with pytest.raises(ComponentError) as refusal:
        require_latency([row_], PushConfig(variants=("litert",), max_latency_milliseconds={"litert": 20}), MACHINE)
    assert said in str(refusal.value)


def test_the_time_of_a_core_ml_file_is_bounded_on_a_mac_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    config = PushConfig(max_latency_milliseconds={"float16": 20})
    monkeypatch.setattr("sys.platform", "darwin")
    require_timed(config)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(ComponentError, match=r"bounds float16, but only a Mac can time .* is none \(linux\)\. Push on"):
        require_timed(config)
    for file in ("saved_model", "litert", "litert_int8", "onnx"):
        values = {"variants": ["litert", "litert_int8", "onnx"], "max_latency_milliseconds": {file: 1}}
        require_timed(PushConfig.model_validate(values, strict=False))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_bytes": {"litert": 1}}, "max_bytes bounds litert, which variants does not list"),
        ({"max_latency_milliseconds": {"onnx": 1.0}}, "max_latency_milliseconds bounds onnx, which variants"),
        ({"max_latency_milliseconds": {"saved_model": 1.0}, "measured_runs": 0}, "while measured_runs is 0"),
        ({"max_bytes": {"float8": 1}}, "float16"),
        ({"max_bytes": {"float16": 0}}, "greater than 0"),
        ({"max_bytes": {"float16": 1.5}}, "valid integer"),
        ({"max_latency_milliseconds": {"saved_model": -1.0}}, "greater than 0"),
        ({"measured_runs": -1}, "greater than or equal to 0"),
    ],
)
def test_config_refuses(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PushConfig.model_validate(values)
