from __future__ import annotations

import functools
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from components.local_copies import DataCopy
from pipeline.gc import find_garbage, main
from pipeline.orchestrator.root_lock import removing, running
from pipeline.orchestrator.run_record import RunFolder, RunRecord
from pipeline.store.local_store import Store
from tests.components.published import publish
from tests.pipeline.runners.test_component_transform import ORDER, run

NOW = float("inf")  # nobody has written since
DEAD = "f00d" * 8  # a key


def recorded(root: Path, run_id: str, **settings: int) -> None:
    """A run of the toys, with its record."""
    nodes = run(root, run_id, **settings)
    record = RunRecord(run_id=run_id, state="pushed", command=(), started=run_id, process=1, config={})
    RunFolder(root, run_id).write(record.model_copy(update={"nodes": tuple(nodes.values())}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two runs; the second made its own of everything but the numbers."""
    recorded(tmp_path, "run1", factor=2)
    recorded(tmp_path, "run2", factor=3)
    return tmp_path


def test_what_the_kept_runs_used_stays(root: Path) -> None:
    assert list(find_garbage(Store(root), 2, NOW)) == []
    assert [(each.folder.parent.name, each.what) for each in find_garbage(Store(root), 1, NOW)] == [
        ("normalize", "artifact"),
        ("train", "artifact"),
    ]


def test_a_night_of_failures_takes_nothing_away(root: Path) -> None:
    for night in range(10):
        record = RunRecord(run_id=f"z{night}", state="failed", command=(), started=f"z{night}", process=1, config={})
        folder = RunFolder(root, record.run_id)
        folder.create()
        folder.write(record)
    assert list(find_garbage(Store(root), 2, NOW)) == []


def test_copies_of_a_bucket_go_once_no_kept_run_uses_them(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    old, new = (DataCopy("s3://bucket/photos", state * 64) for state in "ab")
    for used, copy in enumerate((old, new)):
        copy.folder.mkdir(parents=True)
        (copy.folder / "1.png").write_bytes(b"12345")
        copy.use(root)
        os.utime(copy.folder.parent, (used, used))
    os.link(new.folder / "1.png", old.folder / "2.png")
    assert [(each.folder, each.what, each.byte_count) for each in find_garbage(Store(root), 2, NOW)][-1:] == [
        (old.folder.parent, "copy of a bucket", 5 + len(str(root)))
    ]
    assert main([f"--pipeline_root={root}", "--runs=2", "--idle_hours=0", "--yes"]) == 0
    assert str(old.folder.parent) in capsys.readouterr().out
    assert (old.folder.parent.exists(), new.folder.is_dir()) == (False, True)


def test_nothing_goes_before_it_was_shown(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = len(list(Store(root).manifests()))
    assert main([f"--pipeline_root={root}", "--runs=1"]) == 0
    assert "would remove 2 folder(s)" in capsys.readouterr().out
    assert len(list(Store(root).manifests())) == before == 5


def test_after_it_the_kept_run_has_nothing_to_do(root: Path) -> None:
    assert main([f"--pipeline_root={root}", "--runs=1", "--yes"]) == 0
    assert len(list(Store(root).manifests())) == len(ORDER)
    assert [node.state for node in run(root, "again", factor=3).values()] == ["cached"] * 3
    assert [node.state for node in run(root, "older", factor=2).values()] == ["cached", "ran", "ran"]


def test_attempts_of_the_dead_go_and_checkpoints_of_kept_runs_stay(root: Path) -> None:
    (manifest,) = Store(root).manifests("ingest")
    home = root / "ingest" / manifest.key
    shutil.copytree(root / manifest.folder, home / "attempt-killed")
    (root / "train" / DEAD / "scratch").mkdir(parents=True)
    assert [(each.folder.name, each.what) for each in find_garbage(Store(root), 2, NOW)] == [
        ("attempt-killed", "attempt"),
        (DEAD, "unfinished work"),
    ]
    folder = RunFolder(root, "run2")
    (killed,) = (record for record in [folder.read()] if record)
    node = killed.nodes[2].model_copy(update={"key": DEAD, "state": "running"})
    folder.write(killed.model_copy(update={"nodes": (), "state": "running"}))
    (folder.path / "nodes" / "train.json").unlink()
    folder.write_node(node)
    assert DEAD not in [each.folder.name for each in find_garbage(Store(root), 2, NOW)]


def test_what_was_written_to_of_late_may_be_that_of_a_cluster(root: Path) -> None:
    (manifest,) = Store(root).manifests("ingest")
    attempt = root / "ingest" / manifest.key / "attempt-busy"
    scratch = root / "train" / DEAD / "scratch"
    for folder in (attempt, scratch):
        folder.mkdir(parents=True)
        (folder / "part").touch()
        os.utime(folder, (0, 0))
    assert list(find_garbage(Store(root), 2, time.time() - 3600)) == []
    for path in (attempt / "part", scratch / "part", scratch.parent):
        os.utime(path, (0, 0))
    assert {each.folder for each in find_garbage(Store(root), 2, time.time() - 3600)} == {attempt, scratch.parent}


def test_what_reports_compare_with_stays_as_long_as_the_version(root: Path) -> None:
    old = Store(root).find("normalize", RunFolder(root, "run1").read().nodes[1].key)
    version = publish(root / "pushed", 1, "model 1", 0.9)
    provenance = json.loads((version / "assets.extra" / "provenance.json").read_text())
    provenance["artifacts"] = {"normalize": old.model_dump(), "train": old.model_dump()}
    (version / "assets.extra" / "provenance.json").write_text(json.dumps(provenance))
    assert [each.folder.parent.name for each in find_garbage(Store(root), 1, NOW)] == ["train"]


def test_nothing_is_removed_beside_a_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    remove = functools.partial(main, [f"--pipeline_root={root}", "--runs=1", "--yes"])
    with running(root), running(root):
        assert remove() == 1
    assert "a run is at work here" in capsys.readouterr().err
    assert len(list(Store(root).manifests())) == 5
    assert remove() == 0
    with removing(root) as alone:
        assert alone
        with removing(root) as second:
            assert not second


def test_a_folder_where_no_run_began_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train" / "cat").mkdir(parents=True)  # a dataset
    with pytest.raises(SystemExit):
        main([f"--pipeline_root={tmp_path}", "--yes", "--idle_hours=-1"])
    assert "no run has begun here. Name the folder that runs write to." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_folders_that_are_no_keys_are_not_the_pipelines(root: Path) -> None:
    (root / "train" / "cat").mkdir()
    assert main([f"--pipeline_root={root}", "--yes", "--idle_hours=-1"]) == 0
    assert (root / "train" / "cat").is_dir()
