from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components import memory

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/cgroup").exists(), reason="control groups are a part of Linux")
@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({}, MACHINE),
        ({"memory.max": "max\n"}, MACHINE),
        ({"memory.max": "14000000\n"}, 14_000_000),
        ({"memory/memory.limit_in_bytes": "15000000\n"}, 15_000_000),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, MACHINE),
    ],
    ids=["none", "unlimited", "limited", "version 1", "version 1, unlimited"],
)
def test_the_limit_is_that_of_the_control_group_or_of_the_machine(
    texts: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controllers = [line.split(":")[1] for line in Path("/proc/self/cgroup").read_text().splitlines()]
    if any(("memory" if "/" in name else "") not in controllers for name in texts):
        pytest.skip("this machine has control groups of the other version")
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "CONTROL_GROUPS", tmp_path)
    assert memory.memory_limit_bytes.__wrapped__() == expected


def test_the_peak_rises_with_what_is_used() -> None:
    before = memory.peak_memory_bytes()
    taken = bytearray(os.urandom(1) * (before + 50_000_000))
    assert memory.peak_memory_bytes() > before + 40_000_000
    assert len(taken) > before


def test_what_is_left_is_bound_by_the_limit_of_the_address_space() -> None:
    """In a process of its own, which limits itself."""
    code = (
        "import resource; from components import memory\n"
        "size = memory._memory_pages()['size']\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + 50_000_000, resource.RLIM_INFINITY))\n"
        "print(memory.memory_left_bytes())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 40_000_000 < int(found.stdout) <= 50_000_000


def test_what_is_left_and_what_is_used_add_up_to_the_limit() -> None:
    total = memory.memory_left_bytes() + memory.used_memory_bytes()
    assert total == pytest.approx(memory.memory_limit_bytes(), rel=0.01)
    assert 0 < memory.used_memory_bytes() <= memory.peak_memory_bytes() * 1.01
