from __future__ import annotations

import os
from pathlib import Path

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
