from __future__ import annotations

import os
from pathlib import Path

import pytest

from components import s3_requests
from components.object_storage import RemoteFolder


def test_a_large_file_that_is_replaced_while_it_is_uploaded_arrives_as_it_was(url: str, tmp_path: Path) -> None:
    """As a checkpoint is: each part of an upload is a request of its own."""
    old, new = (bytes([value]) * (17 << 20) for value in (1, 2))
    (tmp_path / "checkpoint").write_bytes(old)
    parts: list[object] = []

    def replace(**request: object) -> None:
        parts.append(request)
        if len(parts) == 2:
            (tmp_path / "draft").write_bytes(new)
            os.replace(tmp_path / "draft", tmp_path / "checkpoint")

    events = s3_requests._client().meta.events
    events.register("before-call.s3.UploadPart", replace)
    try:
        RemoteFolder(url).upload(tmp_path, ["checkpoint"])
    finally:
        events.unregister("before-call.s3.UploadPart", replace)
    assert len(parts) == 3
    assert RemoteFolder(url).read("checkpoint") == old


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9000", "http://my_server:9000", "http://127.0.0.1:port", "ftp://a:1"])
def test_an_endpoint_that_is_no_url_is_refused_in_one_line(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    give_keys(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    folder = RemoteFolder("s3://line/root")
    for request in (folder.files, lambda: folder.read("a.txt")):
        with pytest.raises(OSError, match=r"AWS_ENDPOINT_URL must look like http://HOST:PORT") as refused:
            request()
        assert endpoint in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_region_that_is_none_is_not_taken_for_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    give_keys(monkeypatch)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "no region")
    s3_requests._make_client.cache_clear()
    with pytest.raises(OSError, match=r"^s3://line/root/ cannot be listed: Provided region_name 'no region'"):
        RemoteFolder("s3://line/root").files()


def test_an_empty_endpoint_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    give_keys(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    assert s3_requests._client().meta.endpoint_url.endswith("amazonaws.com")


def give_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
