"""Buckets that are not there, that refuse, that others have written to, and whose clock is another one."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from components.object_storage import RemoteFolder
from components.s3_requests import _client
from pipeline import gc, push, run, runs
from pipeline.errors import ExitCode
from pipeline.store.opening import open_store
from pipeline.store.remote_store import RemoteStore
from tests.canned_server import answering, refusal
from tests.pipeline.test_storage_roots import commit, publish, record
from tests.s3_server import S3

COMMANDS = (
    "demo.__main__",
    "gc",
    "look",
    "predict.__main__ a.jpg",
    "push",
    "report.__main__",
    "review.__main__",
    "run --plan",
    "runs",
    "schedule.__main__ --on_change",
)
REFUSED = (ExitCode.FAILED, ExitCode.USAGE)
NO_BUCKET = "there is no bucket no-such-bucket: make it, or check the name"


def call(words: str, root: str) -> int:
    """Runs a command of the package on a root, in this process."""
    module, *arguments = words.split()
    code: int = importlib.import_module(f"pipeline.{module}").main([f"--pipeline_root={root}", *arguments])
    return code


@pytest.fixture
def store(url: str) -> RemoteStore:
    """With an artifact, and the record of the run that made it."""
    made = open_store(url)
    assert isinstance(made, RemoteStore)
    record(made, commit(made, "new"))
    return made


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_says_that_a_bucket_is_not_there(
    words: str, s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path))
    assert call(words, "s3://no-such-bucket/root") in REFUSED
    assert NO_BUCKET in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_says_that_the_credentials_have_ended(
    words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path))
    with answering(refusal(400, "ExpiredToken", "The provided token has expired.")):
        assert call(words, "s3://line/root") in REFUSED
    error = capsys.readouterr().err
    assert "The credentials have ended: renew them" in error
    assert "not-told" not in error


@pytest.mark.parametrize("plan", [["--plan"], []], ids=["plan", "run"])
def test_data_in_a_bucket_that_is_not_there_end_the_plan_and_the_run_alike(
    plan: list[str], s3: S3, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [f"--pipeline_root={tmp_path}", "--set", "ingest.dataset=s3://no-such-bucket/photos"]
    assert run.main([*given, *plan]) == ExitCode.FAILED
    assert capsys.readouterr() == ("", f"error: OSError: {NO_BUCKET} in the URL\n")
    assert not (tmp_path / "runs").exists()


def test_data_in_a_bucket_that_refuses_end_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"--pipeline_root={tmp_path}", "--set", "ingest.dataset=s3://line/photos", "--plan"]
    with answering(refusal(403, "AccessDenied")):
        assert run.main(given) == ExitCode.FAILED
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert "s3://line/photos/ cannot be listed: " in error
    assert "The credentials do not allow it: give them the right" in error


@pytest.mark.parametrize("place", ["s3://", "s3:///root", "s3:// /root"])
def test_a_url_without_a_bucket_is_refused(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert push.main([f"--pipeline_root={place}"]) == ExitCode.USAGE
    assert f"--pipeline_root={place} names no bucket" in capsys.readouterr().err


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_refuses_the_url_of_another_storage(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(words, "s3a://team/line") == ExitCode.USAGE
    error = capsys.readouterr().err
    assert "--pipeline_root=s3a://team/line is neither a folder nor object storage" in error
    assert not Path("s3a:").exists()


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_says_what_an_endpoint_looks_like(
    words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9000")
    assert call(words, "s3://team/line") in REFUSED
    error = capsys.readouterr().err
    assert "AWS_ENDPOINT_URL must look like http://HOST:PORT. Invalid endpoint: 127.0.0.1:9000" in error
    assert "Traceback" not in error


def test_objects_of_others_in_a_root_are_passed_by(store: RemoteStore, capsys: pytest.CaptureFixture[str]) -> None:
    bucket = RemoteFolder(store.url)
    foreign = {
        "runs//a.txt",
        "runs/a/../b.txt",
        "runs/run",
        f"runs/{'long' * 70}",
        "runs/one two/ü.txt",
        "ingest/" + "ab" * 16,
        "ingest/../manifest.json",
        "ingest//manifest.json",
        "pushed//1",
    }
    for name in foreign:
        bucket.write(name, b"{}")
    assert runs.main([f"--pipeline_root={store.url}"]) == ExitCode.DONE
    assert capsys.readouterr().out.startswith("run ")
    assert gc.main([f"--pipeline_root={store.url}", "--idle_hours=0", "--yes"]) == ExitCode.DONE
    assert capsys.readouterr().out.startswith("removed 0 folder(s)")
    assert len(list(store.manifests())) == 1
    assert foreign <= {file.name for file in bucket.files()}
    assert not (store.root / "manifest.json").exists()


def test_an_object_that_somebody_has_put_beside_those_of_an_artifact_is_named(
    url: str, store: RemoteStore, tmp_path: Path
) -> None:
    (manifest,) = store.manifests()
    bucket = RemoteFolder(url)
    bucket.write(f"{manifest.folder}//no name of a file", b"")
    other = RemoteStore(tmp_path / "other", url)
    other.fetch(manifest)
    bucket.write(f"{manifest.folder}/.DS_Store", b"")
    with pytest.raises(OSError, match=r"is damaged: its digest is .* Remove what was added there, or --force i"):
        RemoteStore(tmp_path / "third", url).fetch(manifest)


@pytest.mark.parametrize("name", ["", "/", "/root/", "/mein Ordner/ü + %20 & co"])
def test_a_root_may_be_anywhere_in_a_bucket(
    name: str, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path / "cache"))
    bucket = f"bucket-{len(name)}"
    _client().create_bucket(Bucket=bucket)
    url = f"s3://{bucket}{name}"
    store = open_store(url)
    assert isinstance(store, RemoteStore)
    record(store, commit(store, "new"))
    assert publish(url, "one").name == "1"
    assert push.main([f"--pipeline_root={url}", "--pin=1"]) == ExitCode.DONE
    assert gc.main([f"--pipeline_root={url}", "--idle_hours=0", "--yes"]) == ExitCode.DONE
    assert runs.main([f"--pipeline_root={url}"]) == ExitCode.DONE
    assert "latest, best, pinned" in capsys.readouterr().out
    tops = {file.name.split("/")[0] for file in RemoteFolder(url).files()}
    assert tops == {"ingest", "pushed", "runs"}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets this machine's clock ahead of that of the storage."""
    true_time = time.time
    return lambda ahead_seconds: monkeypatch.setattr(time, "time", lambda: true_time() + ahead_seconds)


def test_the_clean_up_takes_the_time_from_the_storage(
    store: RemoteStore, clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    (manifest,) = store.manifests()
    young = f"{manifest.folder.rpartition('/')[0]}/attempt-young/a.bin"
    RemoteFolder(store.url).write(young, b"of a worker that is at work")
    clock(3600)
    arguments = [f"--pipeline_root={store.url}", "--yes"]
    assert gc.main([*arguments, "--idle_hours=0.5"]) == ExitCode.DONE
    assert capsys.readouterr().out.startswith("removed 0 folder(s)")
    clock(-3600)
    assert gc.main([*arguments, "--idle_hours=0"]) == ExitCode.DONE
    assert capsys.readouterr().out.splitlines()[-1].startswith("removed 1 folder(s)")


def test_a_run_on_a_machine_whose_clock_is_behind_is_not_disturbed(
    store: RemoteStore, capsys: pytest.CaptureFixture[str]
) -> None:
    (manifest,) = store.manifests()
    an_hour_ago = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - 3600))
    record(store, manifest, state="running", started=an_hour_ago, host="elsewhere")
    assert gc.main([f"--pipeline_root={store.url}", "--yes", "--idle_hours=0.5"]) == ExitCode.FAILED
    assert "run run on elsewhere has not ended" in capsys.readouterr().err


def test_a_bucket_with_versions_forgets_what_was_removed(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path / "cache"))
    _client().create_bucket(Bucket="versioned")
    _client().put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    url = "s3://versioned/root"
    for model in ("one", "one again"):
        publish(url, model)
        assert push.main([f"--pipeline_root={url}", "--pin=1"]) == ExitCode.DONE
        assert push.main([f"--pipeline_root={url}", "--unpin=1"]) == ExitCode.DONE
        RemoteFolder(url).remove("")  # which leaves delete markers, also of claims
    assert RemoteFolder(url).files() == []
