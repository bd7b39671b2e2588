"""Defines what is measured of each published file: its time and memory, and the machine that they hold for."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from components.artifacts import Document

CPU_INFO = Path("/proc/cpuinfo")  # Linux


class Latency(Document):
    """The time from the pixels of one image to its probabilities, once the runtime has warmed up."""

    threads: int | None  # that the runtime may use; None: it chooses them itself, as Core ML does
    median_milliseconds: float
    p95_milliseconds: float  # 95 % of the runs took no longer
    processor_milliseconds: float  # of all threads in one run, the mean; it hardly grows where other programs wait
    runs: int

    @property
    def was_disturbed(self) -> bool:
        """Whether one thread had to wait for a core so long that the median says more of the machine than the file."""
        return self.threads == 1 and self.processor_milliseconds < 0.7 * self.median_milliseconds


class Measurement(Document):
    """What one file takes of time and memory, in processes that do nothing else."""

    runtime: str  # with its version, "LiteRT of TensorFlow 2.21.0"
    start_milliseconds: float  # to load the file and answer the first image, at 1 thread
    memory_bytes: int  # the most resident memory beyond that of the started runtime, at 1 thread
    latency: tuple[Latency, ...]  # at 1 thread, and at 2 where the machine has as many cores


class Machine(Document):
    """The machine that a version was measured on. It has no name: a card is public."""

    processor: str  # as it names itself, "AMD EPYC 7B13"
    cores: int  # that push may use
    system: str  # "Linux x86_64"


def find_machine() -> Machine:
    """Returns this machine."""
    return Machine(processor=_processor(), cores=core_count(), system=f"{platform.system()} {platform.machine()}")


def core_count() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _processor() -> str:
    """Returns the name of the first processor, or only its kind where the system does not say more."""
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or platform.machine()
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(filter(None, named), platform.machine())  # Linux on Arm names none
