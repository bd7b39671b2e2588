"""Components that take no time: the orchestrator cannot tell them from the real ones."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import apache_beam as beam

from components.artifacts import Artifact
from components.component import Component, ComponentConfig, ComponentError, ShardedComponent, Workspace

REFUSED, HANGS, TOO_LARGE = 13, 99, 1 << 60  # factors


class Numbers(Artifact):
    values: tuple[int, ...]

    def summary(self) -> dict[str, Any]:
        return {"count": len(self.values)}


class Total(Artifact):
    value: int
    attempts: int

    def summary(self) -> dict[str, Any]:
        return {"value": self.value}


class CountConfig(ComponentConfig):
    count: int = 5
    source: str = ""


class FactorConfig(ComponentConfig):
    factor: int = 2


@dataclass(frozen=True)
class Count(Component):
    """Makes numbers; fingerprints the file `<root>/source` as ingest does its source."""

    name: ClassVar[str] = "ingest"
    artifact: ClassVar[type[Artifact]] = Numbers
    config: CountConfig

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str | None:
        source = root / "source"
        return source.read_text() if source.exists() else None

    def run(self, workspace: Workspace, *inputs: Any) -> Numbers:
        (workspace.root / "source").touch()
        return Numbers(folder=workspace.folder, values=tuple(range(self.config.count))).write()


@dataclass(frozen=True)
class Multiply(ShardedComponent):
    """Multiplies the numbers, a shard each."""

    name: ClassVar[str] = "normalize"
    inputs: ClassVar[tuple[str, ...]] = ("numbers",)
    artifact: ClassVar[type[Artifact]] = Numbers
    config: FactorConfig

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[int]:
        return list(inputs[0].values)

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        return shards | "multiply" >> beam.Map(multiply, self.config.factor)

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Any) -> Numbers:
        return Numbers(folder=workspace.folder, values=tuple(sorted(results))).write()


def multiply(value: int, factor: int) -> int:
    _hang_or_refuse(factor)
    return value * factor


def _hang_or_refuse(factor: int) -> None:
    while factor == HANGS:
        time.sleep(0.05)
    if factor == REFUSED:
        raise ComponentError("Thirteen is refused. Set factor to another number.")


@dataclass(frozen=True)
class Add(Component):
    """Adds all numbers of both inputs up. Leaves a mark in scratch.

    A factor of -1 or -2 makes as many attempts fail; -9 kills the process, unless that is the one that began.
    """

    name: ClassVar[str] = "train"
    inputs: ClassVar[tuple[str, ...]] = ("numbers", "multiples")
    artifact: ClassVar[type[Artifact]] = Total
    config: FactorConfig

    def describe(self, inputs: Mapping[str, Artifact]) -> str:
        numbers = inputs.get("numbers")
        return f"{len(numbers.values)} numbers" if isinstance(numbers, Numbers) else ""

    def run(self, workspace: Workspace, *inputs: Any) -> Total:
        marks = workspace.scratch / "marks"
        with marks.open("a") as file:
            file.write(".")
        attempts = len(marks.read_text())
        _hang_or_refuse(self.config.factor)
        if self.config.factor in (-1, -2) and attempts <= -self.config.factor:
            raise ValueError(f"attempt {attempts} dies")
        if self.config.factor == -9 and _is_child():
            os.kill(os.getpid(), signal.SIGKILL)
        if self.config.factor == TOO_LARGE:
            bytearray(TOO_LARGE)
        workspace.report(1, 2, "halfway")
        value = sum(sum(numbers.values) for numbers in inputs) * self.config.factor
        return Total(folder=workspace.folder, value=value, attempts=attempts).write()


def _is_child() -> bool:
    """Whether this is a process of `multiprocessing`, or a worker process of Beam."""
    main = getattr(sys.modules["__main__"], "__file__", None) or ""
    return multiprocessing.parent_process() is not None or "sdk_worker_main" in main
