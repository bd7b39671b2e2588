"""How a machine is described."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path

import pytest

from components.push.measurement import core_count, find_machine


@pytest.mark.parametrize(
    ("cpu_info", "processor"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC 7B13\n\nprocessor\t: 1\nmodel name\t: another\n", "AMD EPYC 7B13"),
        ("processor\t: 0\nBogoMIPS\t: 243.75\n", platform.machine()),  # as Linux on Arm says
        ("model name\t:\n", platform.machine()),
        (None, platform.machine()),
    ],
    ids=["x86", "Arm", "nameless", "no such file"],
)
@pytest.mark.skipif(platform.system() != "Linux", reason="the file is Linux's")
def test_the_first_processor_is_named(
    cpu_info: str | None, processor: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if cpu_info is not None:
        (tmp_path / "cpuinfo").write_text(cpu_info)
    monkeypatch.setattr("components.push.measurement.CPU_INFO", tmp_path / "cpuinfo")
    assert find_machine().processor == processor


def test_the_machine_has_no_name() -> None:
    said = find_machine().model_dump_json()
    assert platform.system() in said
    assert socket.gethostname() not in (find_machine().processor, find_machine().system)


@pytest.mark.skipif(platform.system() != "Linux", reason="only Linux binds processes to cores")
def test_cores_are_those_that_this_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert core_count() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert core_count() == len(allowed)
