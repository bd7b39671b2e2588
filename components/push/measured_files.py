"""Measures the files of a staged version, once all of them are verified, and adds what it finds to the card's rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components.push import PushConfig
from components.push.card import Row
from components.push.latency import Measuring, Request
from components.push.limits import require_latency
from components.push.measurement import Machine, find_machine
from components.push.runtimes import is_timed
from components.registry.layout import EXTRA


def measure_files(
    measuring: Measuring, rows: Sequence[Row], version: Path, shape: tuple[int, int], config: PushConfig
) -> tuple[tuple[Row, ...], Machine]:
    """Returns the rows with the time and memory of all files whose runtime is on this machine, and the machine.

    `shape` is the height and width of the model's input.

    Raises ComponentError if a file does not run in a fresh process, or is slower than the config allows.
    """
    places = {row.file: version if row.variant == "saved_model" else version / EXTRA / row.file for row in rows}
    request = Request(
        files={name: place for name, place in places.items() if is_timed(place)},
        image_height=shape[0],
        image_width=shape[1],
        runs=config.measured_runs,
    )
    measurements, machine = measuring.measurements(request), find_machine()
    measured = tuple(row.model_copy(update={"measurement": measurements.get(row.file)}) for row in rows)
    require_latency(measured, config, machine)
    return measured, machine
