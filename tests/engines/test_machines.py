"""What a machine sees, and how it ends."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.machines import PYTHON, Machine, Network, network
from tests.engines.processes import end, free_port, listens, start, wait_until
from tests.engines.workers import REPOSITORY


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with network(tmp_path_factory.mktemp("machines")) as made:
        if made.not_apart:
            pytest.skip(f"NOT APART: {made.not_apart}")
        yield made


@pytest.fixture(scope="module")
def machine(machines: Network) -> Machine:
    return machines.machine()


def answer(machine: Machine, *command: str) -> str:
    ended = machine.run(*command)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize("path", [REPOSITORY, Path.home() / ".cache", Path("/tmp") / "pytest-of-root", Path("/work")])
def test_it_sees_no_file_of_ours(machine: Machine, path: Path) -> None:
    assert machine.run("ls", str(path)).returncode != 0


def test_its_home_and_temporary_folder_are_empty_and_on_its_disk(machine: Machine) -> None:
    assert answer(machine, "sh", "-c", 'ls -A "$HOME" /tmp "$TMPDIR" | grep -v :$ | xargs') == ""
    answer(machine, "touch", "/tmp/here", "/home/here")
    assert (machine.disk / "tmp" / "here").exists()
    assert (machine.disk / "home" / "here").exists()


def test_it_changes_nothing_of_ours(machine: Machine) -> None:
    for place in ("/usr/here", "/etc/here", f"{PYTHON}.here"):
        assert "Read-only" in machine.run("touch", place).stderr


def test_it_has_the_environment_and_nothing_of_the_project(machine: Machine) -> None:
    assert answer(machine, str(PYTHON), "-c", "import numpy; print(numpy.__name__)") == "numpy"
    assert "No module named 'pipeline'" in machine.run(str(PYTHON), "-c", "import pipeline.runners").stderr


def test_it_has_a_name_of_its_own(machine: Machine) -> None:
    assert answer(machine, str(PYTHON), "-c", "import socket; print(socket.gethostname())") == machine.name


def connects(machine: Machine, address: str, port: int) -> bool:
    program = f"import socket; socket.create_connection(({address!r}, {port}), 2)"
    return machine.run(str(PYTHON), "-c", program).returncode == 0


def served(address: str, folder: Path, machine: Machine | None = None) -> Iterator[int]:
    port = free_port()
    command = ["-m", "http.server", f"--bind={address}", str(port)]
    log = folder / f"{address}.txt"
    if machine is None:
        process = start([sys.executable, *command], log)
        wait_until(lambda: listens(port, address), address, folder)
    else:
        process = machine.start([str(PYTHON), *command], log)
        wait_until(lambda: connects(machine, address, port), address, folder)
    yield port
    end([process])


def test_it_reaches_our_address_and_its_peers_and_no_other(machines: Network, machine: Machine, tmp_path: Path) -> None:
    peer = machines.machine()
    serving = contextlib.contextmanager(served)
    with serving(machines.address, tmp_path) as ours, serving("127.0.0.1", tmp_path) as hidden:
        assert connects(machine, machines.address, ours)
        assert not connects(machine, "127.0.0.1", hidden)
        assert not connects(machine, "192.0.2.1", 80)
    with serving(peer.address, tmp_path, peer) as theirs:
        assert connects(machine, peer.address, theirs)


def test_what_it_has_started_ends_with_it_and_its_disk_may_go(machines: Network, tmp_path: Path) -> None:
    lost = machines.machine()
    process = lost.start(["sh", "-c", "sleep 1000 & echo $!; wait"], tmp_path / "log.txt")
    wait_until(lambda: (tmp_path / "log.txt").read_text().endswith("\n"), "the child", tmp_path)
    child = Path("/proc", (tmp_path / "log.txt").read_text().strip())
    assert child.exists()
    lost.lose()
    assert process.returncode is not None
    wait_until(lambda: not child.exists(), "the end of the child", tmp_path)
    assert not lost.disk.exists()


def test_two_networks_do_not_meet(machines: Network, machine: Machine, tmp_path: Path) -> None:
    with network(tmp_path) as other:
        assert other.address != machines.address
        assert not connects(machine, other.machine().address, 80)
