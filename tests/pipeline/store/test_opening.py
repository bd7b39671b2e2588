from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.runs import main as runs
from pipeline.store.opening import local_root, open_store, open_versions


def test_a_root_that_no_record_can_name_is_refused(tmp_path: Path) -> None:
    place = f"{tmp_path}/caf\udce9"  # so Python reads a byte that is no UTF-8
    with pytest.raises(UsageError) as refused:
        open_store(place)
    assert "has a name that is not text in utf-8, so that no record could name it. Choose another" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a*b", "a?b", "a[b]"])
def test_a_root_that_tensorflow_takes_for_a_pattern_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs([f"--pipeline_root={tmp_path / name}"]) == 2
    assert "which TensorFlow reads as a pattern" in capsys.readouterr().err


@pytest.mark.parametrize("below", ["", "/roots/one"])
def test_a_file_is_no_root(tmp_path: Path, below: str) -> None:
    (tmp_path / "notes").touch()
    place = f"{tmp_path / 'notes'}{below}"
    for refuses in (open_store, local_root):
        with pytest.raises(UsageError) as refused:
            refuses(place)
        assert str(refused.value) == f"--pipeline_root={place}: {tmp_path / 'notes'} is a file. Choose a folder."


@pytest.mark.parametrize("place", ["s3://", "gs:///"])
def test_a_url_without_a_bucket_is_no_root(place: str) -> None:
    for refuses in (open_store, open_versions):
        with pytest.raises(UsageError, match=r"names no bucket\. Expected s3://BUCKET/FOLDER"):
            refuses(place)


@pytest.mark.parametrize(
    "place", ["s3a://team/line", "S3://team/line", "s3:/team/line", "hdfs://host/line", "file:///a"]
)
def test_a_url_that_is_not_of_object_storage_is_no_root(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for refuses in (open_store, open_versions, local_root):
        with pytest.raises(UsageError) as refused:
            refuses(place)
        assert str(refused.value).startswith(
            f"--pipeline_root={place} is neither a folder nor object storage. Expected"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["./s3a:/line", "run:1/line", "line:"])
def test_a_folder_with_a_colon_is_a_root(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert local_root(name) == tmp_path / name


def test_a_list_of_no_runs_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs([f"--pipeline_root={tmp_path}", "--output=json"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"there are no runs in {tmp_path}\n")
    assert runs([f"--pipeline_root={tmp_path / 'nowhere'}"]) == 2
    assert capsys.readouterr().err == f"error: there are no runs in {tmp_path / 'nowhere'}\n"
