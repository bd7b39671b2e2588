"""The commands other than run, on a root in object storage."""

from __future__ import annotations

import importlib
import json
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

from components.object_storage import RemoteFolder
from components.registry.registry import open_registry
from components.registry.staging import staging_folder, write_provenance
from pipeline import gc, push
from pipeline.demo import model_reloader
from pipeline.demo.model_reloader import ModelReloader, Status
from pipeline.orchestrator.run_record import NodeRecord, RunFolder, RunRecord
from pipeline.predict.__main__ import main as predict
from pipeline.store.manifest import BuildInfo, Identity, Manifest
from pipeline.store.opening import open_store, open_versions
from pipeline.store.remote_store import RemoteStore
from tests.components.published import publish as write_version
from tests.pipeline.toys import Numbers
from tests.s3_server import S3

MADE = BuildInfo(run_id="one", finished="2026-11-24T12:00:00", seconds=1, host="here", python="3.11", libraries={})


def publish(url: str, model: str, folder: Path | None = None) -> Path:
    registry = open_registry(open_store(url).root, url)
    with staging_folder(registry.folder) as staging:
        built = staging / "built"
        if folder is None:
            write_version(staging / "built-in", 1, model, 0.5).rename(built)
        else:
            shutil.copytree(folder, built)
        (built / "assets.extra" / "provenance.json").unlink()
        write_provenance(built, model, {"model_digest": model})
        return registry.publish(built, model)


def test_push_lists_and_rolls_back(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    publish(url, "one")
    publish(url, "two")
    assert push.main([f"--pipeline_root={url}", "--pin=2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "     1  accuracy 0.5     one",
        "     2  accuracy 0.5     two  latest, best, pinned",
    ]
    assert push.main([f"--pipeline_root={url}", "--rollback"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "version 1 is the latest again",
        "     1  accuracy 0.5     one  latest, best",
        "     2  accuracy 0.5     two  withdrawn",
    ]
    assert RemoteFolder(f"{url}/pushed").read("latest") == b"1\n"
    assert push.main([f"--pipeline_root={url}", "--rollback"]) == 2
    assert capsys.readouterr().err == f"error: {url}/pushed has 1 version(s): none to go back to.\n"


def test_nothing_published_is_said(url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert push.main([f"--pipeline_root={url}"]) == 0
    assert capsys.readouterr().out == f"nothing is published in {url}/pushed\n"
    assert predict([f"--pipeline_root={url}", "photo.jpg"]) == 2
    assert f"error: No version is in {url}/pushed yet." in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("words", ["push", "predict.__main__ a.jpg", "demo.__main__"])
def test_a_bucket_that_is_not_there_is_said(words: str, s3: S3, capsys: pytest.CaptureFixture[str]) -> None:
    module, *arguments = words.split()
    root = "--pipeline_root=s3://no-such-bucket/root"
    assert importlib.import_module(f"pipeline.{module}").main([root, *arguments]) == 1
    assert "there is no bucket no-such-bucket" in capsys.readouterr().err


def test_predict_and_the_chat_fetch_the_version_that_they_serve(
    url: str, sample_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(model_reloader, "STORAGE_POLL_SECONDS", 0.1)
    version = sample_root / "pushed" / "1"
    publish(url, "one", version)
    publish(url, "two", version)
    shutil.rmtree(tmp_path / "cache")
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    assert predict([f"--pipeline_root={url}", "--version=1", "--output=json", str(tmp_path / "a.png")]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == 1
    pushed = open_versions(url).folder
    assert [(pushed / each / "saved_model.pb").exists() for each in "12"] == [True, False]
    said: list[Status] = []
    reloader = ModelReloader(open_versions(url), said.append)
    reloader.start()
    try:
        assert reloader.first_model(300) is not None
        assert said[-1].version == 2
        assert push.main([f"--pipeline_root={url}", "--rollback"]) == 0
        deadline = time.monotonic() + 300
        while said[-1].version != 1:
            assert time.monotonic() < deadline, said
            time.sleep(0.05)
    finally:
        reloader.stop()


def commit(store: RemoteStore, fingerprint: str) -> Manifest:
    identity = Identity(
        component="ingest", config={"count": 3}, code={}, libraries={}, inputs={}, fingerprint=fingerprint
    )
    attempt = store.open_attempt(identity)
    return store.commit(identity, Numbers(folder=attempt.folder, values=(1, 2)).write(), {}, MADE)


def record(store: RemoteStore, manifest: Manifest, **fields: str) -> None:
    node = NodeRecord(component="ingest", state="ran", key=manifest.key)
    run = RunFolder(store.root, "run")
    run.create()
    known = {"state": "completed", "started": "2026-11-24T12:00:00+00:00", "run_id": "run", "command": (), "process": 1}
    run.write(RunRecord.model_validate({**known, "config": {}, "nodes": (node,), **fields}))
    store.upload(run.path)


def test_gc_removes_what_no_run_needs_and_what_killed_uploads_left(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store, bucket = open_store(url), RemoteFolder(url)
    assert isinstance(store, RemoteStore)
    needed, old = commit(store, "new"), commit(store, "old")
    record(store, needed)
    publish(url, "one")
    half = f"{needed.folder.rpartition('/')[0]}/attempt-killed"
    for name in (f"{half}/a.bin", "pushed/2/saved_model.pb", "pushed/claims/2"):
        bucket.write(name, b"half")
    arguments = [f"--pipeline_root={url}", "--runs=1"]
    assert gc.main(arguments) == 0
    assert f"artifact                0.0 MB  ingest/{old.key}\nwould remove 1 folder(s)" in capsys.readouterr().out
    assert gc.main([*arguments, "--idle_hours=0", "--yes"]) == 0
    printed = capsys.readouterr().out
    assert f"attempt                 0.0 MB  {half}\n" in printed
    assert "unfinished version      0.0 MB  pushed/2\nremoved 3 folder(s)" in printed
    names = {file.name for file in bucket.files()}
    assert {name.split("/")[1] for name in names if name.startswith("ingest/")} == {needed.key}
    assert not any(name.startswith((half, "pushed/2/", "pushed/claims/2")) for name in names)
    assert store.load(needed, Numbers).values == (1, 2)
    assert "pushed/1/assets.extra/provenance.json" in names


def test_gc_removes_nothing_while_another_machine_may_be_at_work(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store(url)
    assert isinstance(store, RemoteStore)
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    record(store, commit(store, "new"), state="running", started=now, host="elsewhere")
    for idle in ("24", "0"):
        assert gc.main([f"--pipeline_root={url}", "--yes", f"--idle_hours={idle}"]) == 1
        assert capsys.readouterr().err.startswith(
            "error: run run on elsewhere has not ended, and has written less than an hour, or --idle_hours, ago."
        )


def test_another_scheduler_is_told_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    schedule = importlib.import_module("pipeline.schedule.__main__")
    root = "--pipeline_root=s3://bucket/line"
    assert schedule.main([root, "--cron=0 3 * * *", "--emit=kubernetes"]) == 0
    assert root in capsys.readouterr().out
