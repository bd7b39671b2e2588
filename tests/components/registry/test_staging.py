"""Versions appear whole, once, and under numbers of their own, whoever else publishes and whatever is killed."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from components.registry import pointers
from components.registry.layout import PROVENANCE
from components.registry.staging import (
    STALE_SECONDS,
    find_provenance,
    find_version,
    publish,
    staging_folder,
    write_provenance,
)
from components.registry.versions import numbers

PUBLISH = """
import os, sys
from pathlib import Path
from components.registry.layout import PROVENANCE
from components.registry.staging import publish, staging_folder, write_provenance
pushed, identity, then = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
with staging_folder(pushed) as staging:
    (staging / "assets.extra").mkdir()
    (staging / "saved_model.pb").write_text(identity)
    write_provenance(staging, identity, {})
    if then == "die before": os.kill(os.getpid(), 9)
    sys.stdin.readline()  # so that all start at once
    version = publish(staging, pushed, identity)
    if then == "die after": os.kill(os.getpid(), 9)
print(version.name)
"""


def test_versions_count_up_from_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "41").mkdir()
    (tmp_path / "notes").mkdir()
    assert _publish(tmp_path, "a").name == "42"
    assert _publish(tmp_path, "b").name == "43"


def test_provenance_lists_every_file(tmp_path: Path) -> None:
    version = _publish(tmp_path, "a", {"run_id": "run-1"})
    provenance = find_provenance(version)
    assert provenance["run_id"] == "run-1"
    assert provenance["files"] == {
        "saved_model.pb": {
            "sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",  # of "a"
            "bytes": 1,
        }
    }


def test_same_identity_is_one_version(tmp_path: Path) -> None:
    assert _publish(tmp_path, "a") == _publish(tmp_path, "a") == find_version(tmp_path, "a")
    assert _listed(tmp_path) == ["1"]


@pytest.mark.parametrize("identities", [["a"] * 6, ["a", "b", "c"] * 2])
def test_processes_at_once_publish_each_identity_once(tmp_path: Path, identities: list[str]) -> None:
    processes = [_start(tmp_path, identity) for identity in identities]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    names = [process.communicate()[0].strip() for process in processes]
    by_identity = {
        identity: {name for name, its in zip(names, identities, strict=True) if its == identity}
        for identity in identities
    }
    assert all(len(versions) == 1 for versions in by_identity.values())
    assert _listed(tmp_path) == [str(number + 1) for number in range(len(set(identities)))]


def test_killed_before_the_rename_leaves_no_version(tmp_path: Path) -> None:
    assert _start(tmp_path, "a", "die before").wait() == -signal.SIGKILL
    assert find_version(tmp_path, "a") is None
    assert [name.startswith(".staging-") for name in _listed(tmp_path)] == [True]
    assert _publish(tmp_path, "a").name == "1"
    assert _listed(tmp_path) == ["1"]


def test_what_is_in_the_making_stays(tmp_path: Path) -> None:
    making = _start(tmp_path, "a")
    while not _listed(tmp_path):
        assert making.poll() is None
    with staging_folder(tmp_path):
        assert len(_listed(tmp_path)) == 2
    assert making.communicate("go\n")[0] == "1\n"


def test_killed_after_the_rename_leaves_the_version(tmp_path: Path) -> None:
    process = _start(tmp_path, "a", "die after")
    process.communicate("go\n")
    assert process.returncode == -signal.SIGKILL
    assert _publish(tmp_path, "a").name == "1"
    assert _listed(tmp_path) == ["1"]


def test_a_push_waits_for_a_rollback_and_takes_no_number_that_it_withdraws(tmp_path: Path) -> None:
    for identity in ("a", "b"):
        _publish(tmp_path, identity)
    process = _start(tmp_path, "c")
    while len(_listed(tmp_path)) < 3:
        assert process.poll() is None
    with (tmp_path / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process.stdin.write("go\n")
        process.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        (tmp_path / "withdrawn").mkdir()
        (tmp_path / "2").rename(tmp_path / "withdrawn" / "2")
    assert process.communicate()[0] == "3\n"
    assert (numbers(tmp_path), pointers.withdrawn(tmp_path)) == ([1, 3], [2])


def test_of_other_machines_stale_staging_folders_go_and_fresh_ones_stay(tmp_path: Path) -> None:
    for name, age in ((".staging-old", STALE_SECONDS + 60), (".staging-new", 60)):
        (tmp_path / name).mkdir()
        moment = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (moment, moment))
    _publish(tmp_path, "a")
    assert _listed(tmp_path) == [".staging-new", "1"]


def test_failure_while_staging_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), staging_folder(tmp_path) as staging:
        staging.write_text("as if the disk were full")
    assert _listed(tmp_path) == []


def test_damaged_version_is_not_taken_for_published(tmp_path: Path) -> None:
    version = _publish(tmp_path, "a")
    (version / "saved_model.pb").write_text("b")
    assert find_version(tmp_path, "a") is None
    assert _publish(tmp_path, "a").name == "2"


def test_version_of_someone_else_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / "1" / "assets.extra").mkdir(parents=True)
    (tmp_path / "1" / PROVENANCE).write_text(json.dumps({"made": "by hand"}))
    (tmp_path / "2" / "assets.extra").mkdir(parents=True)
    (tmp_path / "2" / PROVENANCE).write_text("not JSON")
    assert find_version(tmp_path, "a") is None
    assert _publish(tmp_path, "a").name == "3"


def _listed(pushed: Path) -> list[str]:
    return sorted(set(os.listdir(pushed)) - {".lock"}) if pushed.is_dir() else []


def _publish(pushed: Path, identity: str, record: dict[str, str] | None = None) -> Path:
    with staging_folder(pushed) as staging:
        (staging / "assets.extra").mkdir()
        (staging / "saved_model.pb").write_text(identity)
        write_provenance(staging, identity, record or {})
        return publish(staging, pushed, identity)


def _start(pushed: Path, identity: str, then: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PUBLISH, str(pushed), identity, then]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
