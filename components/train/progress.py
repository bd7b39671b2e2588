"""Reports the progress of a training to the caller, to TensorBoard at each epoch, and to `training.json` at the end."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.memory import peak_memory_bytes

logger = logging.getLogger(__name__)

REPORT_SECONDS = 0.25


class Progress:
    """The progress of one training. `folder` receives event files and training.json."""

    def __init__(
        self,
        folder: Path,
        report: Callable[[float, float, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.report = report
        self.clock = clock
        self.events = tf.summary.create_file_writer(str(folder))

    def start(self, done_steps: int, total_steps: int, batch_size: int, history: list[dict[str, Any]]) -> None:
        """Begins the report, before the first step of this attempt. `history` is that of earlier attempts."""
        self.first_step = self.done_steps = done_steps
        self.total_steps, self.batch_size = total_steps, batch_size
        self.started = self.reported = self.clock()
        for record in history:
            self._write_events(record)
        if history:
            logger.info("Going on after %d epochs that an earlier attempt has trained", len(history))

    def steps_done(self, done_steps: int) -> None:
        """Reports the steps done so far; the loop calls it after each step."""
        self.done_steps = done_steps
        now = self.clock()
        if now - self.reported < REPORT_SECONDS and done_steps < self.total_steps:
            return
        self.reported = now
        seconds_left = (now - self.started) / (done_steps - self.first_step) * (self.total_steps - done_steps)
        note = f"{self.images_per_second:.0f} images/s, {seconds_left:.0f} s left"
        self.report(done_steps, self.total_steps, note)

    def epoch_done(self, record: dict[str, Any], total_steps: int) -> None:
        """Reports an epoch that is done. `total_steps` may have become fewer."""
        self.total_steps = total_steps
        figures = ", ".join(f"{name} {value:.4g}" for name, value in record.items() if name != "epoch")
        logger.info("Epoch %d: %s, %.0f images/s", record["epoch"], figures, self.images_per_second)
        self._write_events(record)

    def finish(self) -> None:
        """Writes training.json. It describes this attempt alone, and so is no part of the artifact's digest."""
        self.events.close()
        figures = {
            "seconds": round(self.clock() - self.started, 3),
            "steps": self.done_steps - self.first_step,
            "images_per_second": round(self.images_per_second, 1),
            "peak_memory_bytes": peak_memory_bytes(),
        }
        (self.folder / "training.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")

    @property
    def images_per_second(self) -> float:
        """The speed of this attempt so far, in images per second, validation included."""
        seconds = max(self.clock() - self.started, 1e-9)
        return (self.done_steps - self.first_step) * self.batch_size / seconds

    def _write_events(self, record: dict[str, Any]) -> None:
        with self.events.as_default(step=record["epoch"]):
            for name, value in record.items():
                if name != "epoch":
                    tf.summary.write(name, tf.constant(value, tf.float32), metadata=_scalar_metadata())
        self.events.flush()


def _scalar_metadata() -> tf.compat.v1.SummaryMetadata:
    """Returns what tf.summary.scalar writes; that function needs the tensorboard package just for this."""
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    return tf.compat.v1.SummaryMetadata(plugin_data=plugin, data_class=1)
