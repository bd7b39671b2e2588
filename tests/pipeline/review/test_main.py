from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipeline.review.__main__ import main
from tests.pipeline.review.conftest import serving
from tests.pipeline.review.findings import Reviewed


def test_a_port_in_use_is_named(reviewed: Reviewed, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(reviewed) as served:
        port = urlsplit(served.url).port
        assert main([f"--pipeline_root={reviewed.root}", f"--port={port}"]) == 2
    assert f"error: 127.0.0.1:{port} cannot be used: Address already in use." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--pipeline_root={folder}"], "error: No run in {folder} has findings."),
        (["20261122", "--pipeline_root={folder}"], "error: There are no runs in {folder}."),
        (["--unlabeled=.", "--pipeline_root={folder}"], "error: No run in {folder} has embeddings."),
    ],
)
def test_what_cannot_be_reviewed_is_said_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert main([argument.format(folder=tmp_path) for argument in arguments]) == 2
    assert reason.format(folder=tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--list"], "--list goes with --unlabeled"),
        (["--unlabeled=.", "--keep_together"], "--keep_together goes with findings, not with --unlabeled"),
        (["--unlabeled=.", "--count=0"], "argument --count: 0: expected a number from 1 on"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert reason in capsys.readouterr().err


def test_a_port_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--port=99999"])
    assert "--port 99999: expected 0 to 65535" in capsys.readouterr().err
