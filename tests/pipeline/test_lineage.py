"""What is told of artifacts, and of versions far from their root."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.registry.layout import EXTRA, PROVENANCE
from pipeline.errors import UsageError
from pipeline.lineage import main, trace
from pipeline.store.local_store import Store
from pipeline.store.manifest import BuildInfo, Identity, Manifest
from tests.pipeline.toys import Numbers

MADE = BuildInfo(
    run_id="one", finished="2026-11-24T12:00:00", seconds=1.5, host="workshop", python="3.11", libraries={}
)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """A committed artifact."""
    store = Store(tmp_path / "root")
    identity = Identity(component="ingest", config={}, code={}, libraries={}, inputs={}, fingerprint="")
    attempt = store.open_attempt(identity)
    return store.commit(identity, Numbers(folder=attempt.folder, values=(1,)).write(), {}, MADE)


def test_an_artifact_tells_where_it_was_made(
    manifest: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "root" / manifest.folder / "numbers.json")]) == 0
    assert "ingest  2026-11-24T12:00:00  1.5 s  on workshop\n" in capsys.readouterr().out


def test_a_published_version_tells_its_origin_without_the_machine(
    manifest: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = tmp_path / "version"
    (version / EXTRA).mkdir(parents=True)
    record = {"run_id": "one", "artifacts": {"ingest": manifest.published()}, "files": {}}
    (version / PROVENANCE).write_text(json.dumps(record))
    assert main([str(version)]) == 0
    assert "ingest  2026-11-24T12:00:00  1.5 s\n" in capsys.readouterr().out
    assert main([str(version), "--output=json"]) == 0
    assert json.loads(capsys.readouterr().out)["artifacts"]["ingest"]["build"]["host"] == ""


@pytest.mark.parametrize("text", ["[]", "{", '{"artifacts": [1]}', '{"artifacts": {}, "files": 3, "run_id": "a"}'])
def test_a_provenance_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "provenance.json").write_text(text)
    with pytest.raises(UsageError, match=r"provenance\.json cannot be read: "):
        trace(tmp_path)


@pytest.mark.parametrize("file", [3, {}])
def test_a_damaged_entry_of_a_file_is_refused(tmp_path: Path, file: object) -> None:
    (tmp_path / "assets.extra").mkdir()
    record = {"artifacts": {}, "run_id": "a", "files": {"assets.extra/provenance.json": file}}
    (tmp_path / "assets.extra" / "provenance.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match=r"provenance\.json cannot be read: "):
        trace(tmp_path / "assets.extra" / "provenance.json")


def test_long_lines_are_broken_between_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path)
    code = {f"components.ingest.module_{number}:f": "d" for number in range(40)}
    identity = Identity(component="ingest", config={}, code=code, libraries={}, inputs={}, fingerprint="")
    attempt = store.open_attempt(identity)
    made = store.commit(identity, Numbers(folder=attempt.folder, values=(1,)).write(), {}, MADE)
    assert main([str(tmp_path / made.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[1:])) <= 120
    assert sum(line.startswith("             components.ingest.module_") for line in lines) > 5
