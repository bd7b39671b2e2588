"""Refuses files that are larger or slower than the config allows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.component import ComponentError
from components.push import File, PushConfig
from components.push.measurement import Machine, Measurement

if TYPE_CHECKING:
    from components.push.card import Row  # with TensorFlow, which a plan has no need of

TIMED_EVERYWHERE = ("saved_model", "litert", "onnx")  # the beginnings of names; the others are Core ML files


def require_timed(config: PushConfig) -> None:
    """Raises ComponentError if a time is bounded that this machine cannot measure: a Core ML file's, without a Mac."""
    bounded = [variant for variant in config.max_latency_milliseconds if not variant.startswith(TIMED_EVERYWHERE)]
    if bounded and sys.platform != "darwin":
        raise ComponentError(
            f"push.max_latency_milliseconds bounds {', '.join(bounded)}, but only a Mac can time Core ML files, and "
            f"this machine is none ({sys.platform}). Push on a Mac, or leave {'it' if len(bounded) == 1 else 'them'} "
            "out; push.max_bytes bounds files everywhere."
        )


def require_size(file: str, variant: File, size_bytes: int, config: PushConfig) -> None:
    """Raises ComponentError if a file has more bytes than `push.max_bytes` allows."""
    allowed = config.max_bytes.get(variant)
    if allowed is not None and size_bytes > allowed:
        raise ComponentError(
            f"{file} has {size_bytes:,} bytes; at most {allowed:,} are allowed (push.max_bytes.{variant}). Nothing was "
            "published: take a variant with smaller weights, train a smaller network, or allow more."
        )


def require_latency(rows: Sequence[Row], config: PushConfig, machine: Machine) -> None:
    """Raises ComponentError if a measured file is slower than `push.max_latency_milliseconds` allows."""
    by_variant = {row.variant: row for row in rows}
    for variant, allowed in config.max_latency_milliseconds.items():
        row = by_variant[variant]
        if row.measurement and row.measurement.latency[0].median_milliseconds > allowed:
            raise ComponentError(
                f"{row.file} takes {_described(row.measurement)}, on {machine.processor}; at most {allowed:g} ms are "
                f"allowed (push.max_latency_milliseconds.{variant}). Nothing was published: {_advice(row.measurement)} "
                "take a variant with smaller weights, train a smaller network or for smaller images, or allow more."
            )


def _advice(measurement: Measurement) -> str:
    first = measurement.latency[0]
    if not first.was_disturbed:
        return "if other programs were busy, run again; or"
    return f"other programs had the cores, since it computed for {first.processor_milliseconds:.3g} ms: run again, or"


def _described(measurement: Measurement) -> str:
    first = measurement.latency[0]
    threads = "" if first.threads is None else " at 1 thread"
    return (
        f"{first.median_milliseconds:.3g} ms for one image{threads} (the median of {first.runs} runs, of which 95 % "
        f"took at most {first.p95_milliseconds:.3g} ms) in {measurement.runtime}"
    )
