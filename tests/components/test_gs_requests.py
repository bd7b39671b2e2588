"""What is said if Google's storage refuses."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import Forbidden

from components import gs_requests
from components.gs_errors import as_os_error
from components.object_storage import RemoteFolder
from tests.gs_server import FAKE_GCS

FOLDER = RemoteFolder("gs://line/folder")


@pytest.mark.skipif(bool(FAKE_GCS), reason="fake-gcs-server makes a bucket that is written to")
def test_a_bucket_that_is_not_there_is_said(gs: str) -> None:
    message = r"^gs://nowhere/a\.txt cannot be written: 404 .*Check the name of the bucket$"
    with pytest.raises(OSError, match=message):
        RemoteFolder("gs://nowhere").write("a.txt", b"1")
    with pytest.raises(OSError, match=message):
        RemoteFolder("gs://nowhere").update("a.txt", lambda _: b"1")


def test_a_name_that_no_bucket_can_have_is_said(gs: str) -> None:
    with pytest.raises(OSError, match=r"^gs://_bucket: Bucket names must start and end with a number or letter"):
        RemoteFolder("gs://_bucket").read("a.txt")


def test_a_server_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    monkeypatch.setattr(gs_requests, "RETRY_SECONDS", 0.5)
    with pytest.raises(OSError, match=r"^gs://line/folder/ cannot be listed: Timeout .*Does the server run\?"):
        FOLDER.files()


def test_missing_credentials_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/of/nobody.json")
    message = r"^gs://line/folder/a\.txt cannot be read: File /of/nobody\.json was not found.*gcloud auth application-"
    with pytest.raises(OSError, match=message):
        FOLDER.read("a.txt")


def test_a_missing_right_is_said() -> None:
    message = r"^gs://line cannot be read: 403 no\. The credentials do not allow it: give them the right, or give "
    with pytest.raises(OSError, match=message), as_os_error("gs://line cannot be read"):
        raise Forbidden("no")
