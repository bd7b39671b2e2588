"""Commands that work on this machine alone, told to work elsewhere."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

URL = "s3://bucket/line"
COPIED = "`python -m pipeline.runs --pipeline_root=s3://bucket/line` copies what is published there to"


@pytest.mark.parametrize(
    ("module", "arguments", "advice"),
    [
        ("push", ["--rollback"], COPIED),
        ("gc", ["--yes"], COPIED),
        ("predict.__main__", ["photo.jpg"], COPIED),
        ("demo.__main__", [], COPIED),
        (
            "schedule.__main__",
            ["--on_change"],
            "scheduler call `python -m pipeline.run --pipeline_root=s3://bucket/line`",
        ),
    ],
)
def test_a_root_in_object_storage_is_refused_and_makes_no_folder(
    module: str,
    arguments: list[str],
    advice: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert importlib.import_module(f"pipeline.{module}").main([f"--pipeline_root={URL}", *arguments]) == 2
    error = capsys.readouterr().err
    assert f"error: --pipeline_root={URL}: this command needs a folder on this machine. " in error
    assert advice in error
    assert list(tmp_path.iterdir()) == []


def test_another_scheduler_is_told_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    schedule = importlib.import_module("pipeline.schedule.__main__")
    assert schedule.main([f"--pipeline_root={URL}", "--cron=0 3 * * *", "--emit=kubernetes"]) == 0
    assert f"--pipeline_root={URL}" in capsys.readouterr().out
