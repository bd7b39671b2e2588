"""Machines that are apart, on this one: a worker's process sees a disk of its own, and its peers by the network.

A machine is a mount, a network and a host name of its own. Of this one it sees the system's programs, the Python
environment and what else it is shown, read only; everything else is its disk, a folder of ours. It sees no repository,
no home, no cache and no temporary file of ours. By the network it reaches what listens on `Network.address`, and the
other machines. Its processes have the same ids inside and outside.

Linux makes machines for root alone. Elsewhere each is only a folder, with the home and the temporary files of its
processes, and `Network.not_apart` says why.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.engines.processes import start
from tests.engines.workers import install_boot

SCRIPT = Path(__file__).parent / "machine.sh"
UNSHARE = ("unshare", "--mount", "--net", "--uts")
PROGRAMS = ("unshare", "nsenter", "ip", "mount", "chroot", "hostname")
SYSTEM = ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64", "/dev", "/proc", "/sys")
LINE = Path("/opt/line")  # where the docs put the boot program and the environment
PYTHON = LINE / ".venv" / Path(sys.executable).relative_to(sys.prefix)
SUBNETS = 256


class Machine:
    """A place for processes, until `stop`; by itself, only a folder of this machine."""

    def __init__(self, name: str, address: str, disk: Path) -> None:
        self.name, self.address, self.disk = name, address, disk
        self._processes: list[subprocess.Popen[bytes]] = []
        for folder in ("home", "tmp"):
            (disk / folder).mkdir(parents=True)

    def start(
        self, command: Sequence[str], log: Path, variables: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts a process there. Its environment is the machine's, with what names the bucket, and `variables`."""
        process = start([*self._entry(), *command], log, {**self._variables(), **(variables or {})}, own_session=True)
        self._processes.append(process)
        return process

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command there to its end."""
        entry = [*self._entry(), *command]
        return subprocess.run(entry, env=self._variables(), capture_output=True, text=True, check=False)

    def inside(self, path: Path) -> str:
        """The path that a file of its disk has there."""
        return str(path)

    def stop(self) -> None:
        """Kills all that was started there, and what that has started."""
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
        self._processes.clear()

    def lose(self) -> None:
        """Stops it, and removes its disk."""
        self.stop()
        shutil.rmtree(self.disk)

    def _entry(self) -> list[str]:
        return []

    def _variables(self) -> dict[str, str]:
        bucket = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        places = {"HOME": self.inside(self.disk / "home"), "TMPDIR": self.inside(self.disk / "tmp")}
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **places, **bucket}


class Apart(Machine):
    """A machine that is apart. It is shown folders of this one, each at the place that is its key."""

    def __init__(self, name: str, address: str, disk: Path, bridge: str, shown: Mapping[Path, Path]) -> None:
        super().__init__(name, address, disk)
        (disk / "hosts").write_text(f"127.0.0.1 localhost\n{address} {name}\n")
        install_boot(disk / LINE.relative_to("/"), str(PYTHON))
        _make_system_links(disk)
        for place in shown:
            (disk / place.relative_to("/")).mkdir(parents=True, exist_ok=True)
        cable = f"{bridge}-{address.rpartition('.')[2]}"
        pairs = [str(each) for place, source in shown.items() for each in (source, place)]
        self._boot(["sh", str(SCRIPT), name, bridge, cable, address, str(disk), *pairs])

    def inside(self, path: Path) -> str:
        """The path that a file of its disk has there."""
        return f"/{path.relative_to(self.disk)}"

    def _boot(self, script: list[str]) -> None:
        """Makes the machine, which exists as long as its first process. Raises OSError if that is not possible."""
        with (self.disk / "boot.txt").open("w+") as said:
            process = subprocess.Popen([*UNSHARE, *script], stdout=subprocess.PIPE, stderr=said)
            self._processes.append(process)
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                said.seek(0)
                raise OSError(f"a machine does not start: {said.read().strip()}")

    def _entry(self) -> list[str]:
        return ["nsenter", f"--target={self._processes[0].pid}", "--mount", "--net", "--uts", "--root", "--wd"]


class Network:
    """What connects machines with each other and with this one; by itself, they are no more than its folders."""

    address = "127.0.0.1"  # of this machine

    def __init__(self, folder: Path, not_apart: str = "") -> None:
        self.not_apart = not_apart  # why the machines are only folders; empty if they are apart
        self._folder = folder
        self._machines: list[Machine] = []

    @property
    def boot_program(self) -> str:
        """The path of the program that starts a worker, on every machine."""
        if not (self._folder / "boot").exists():
            install_boot(self._folder, sys.executable)
        return str(self._folder / "boot")

    def machine(self, shown: Sequence[Path] = ()) -> Machine:
        """Starts a machine with the Python environment, the boot program, and these folders at their own paths."""
        number = len(self._machines) + 1
        self._machines.append(self._make(number, self._folder / f"machine-{number}", shown))
        return self._machines[-1]

    def stop(self) -> None:
        """Stops all machines, and takes the network away."""
        for machine in self._machines:
            machine.stop()

    def _make(self, number: int, disk: Path, shown: Sequence[Path]) -> Machine:
        return Machine(socket.gethostname(), self.address, disk)


class Bridge(Network):
    """A network of machines that are apart. Raises OSError if there can be none."""

    boot_program = str(LINE / "boot")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._name, self._subnet = _add_bridge()
        self.address = f"{self._subnet}.1"
        try:
            self._make(0, folder / "first", ()).lose()
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops all machines, and takes the network away."""
        super().stop()
        _ip("link", "delete", self._name)

    def _make(self, number: int, disk: Path, shown: Sequence[Path]) -> Machine:
        seen = {each: each for each in (*_system(), *shown)}
        seen[LINE / ".venv"] = Path(sys.prefix)
        return Apart(f"machine-{number}", f"{self._subnet}.{10 + number}", disk, self._name, seen)


@contextlib.contextmanager
def network(folder: Path) -> Iterator[Network]:
    """Makes one whose machines have their disks in `folder`, and ends it with all that runs on them."""
    folder.mkdir(parents=True, exist_ok=True)
    made = _network(folder)
    try:
        yield made
    finally:
        made.stop()


def _network(folder: Path) -> Network:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return Network(folder, "namespaces are for root on Linux")
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        return Network(folder, f"there is no {', '.join(missing)} on the PATH")
    try:
        return Bridge(folder)
    except OSError as error:
        return Network(folder, str(error))


def _add_bridge() -> tuple[str, str]:
    """Returns the name and the subnet of a new one; of several at once, each has its own."""
    said = ""
    for number in range(SUBNETS):
        name, subnet = f"line{number}", f"10.77.{number}"
        said = _ip("link", "add", name, "type", "bridge")
        if not said:
            _ip("address", "add", f"{subnet}.1/24", "dev", name)
            _ip("link", "set", name, "up")
            return name, subnet
        if "exists" not in said:
            break
    raise OSError(f"there can be no bridge: {said}")


def _ip(*arguments: str) -> str:
    """Returns why it failed; nothing if it did not."""
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False).stderr.strip()


def _system() -> list[Path]:
    """The folders of the system's programs, and those of Java and Python, if they are elsewhere."""
    java = [Path(found).resolve().parents[1] for found in filter(None, [shutil.which("java")])]
    folders = [Path(each) for each in SYSTEM if Path(each).exists() and not Path(each).is_symlink()]
    return folders + [each for each in (Path(sys.base_prefix), *java) if not each.is_relative_to("/usr")]


def _make_system_links(disk: Path) -> None:
    for each in filter(Path.is_symlink, map(Path, SYSTEM)):
        (disk / each.name).symlink_to(each.readlink())
