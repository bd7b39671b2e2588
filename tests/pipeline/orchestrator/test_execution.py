from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline.config import load_config, make_config
from pipeline.errors import explain
from pipeline.orchestrator.execution import _new_record, without_secrets
from pipeline.orchestrator.run_record import RunFolder
from tests.components.registry.keys import write_private_key


def test_a_command_with_a_file_name_that_is_no_text_can_be_recorded(tmp_path: Path) -> None:
    config = load_config(Path("pipeline_config.json"), [])
    # So Python reads a byte that is no UTF-8.
    RunFolder(tmp_path, "one").begin(_new_record("one", config, ("pipeline.run", "--config=caf\udce9.json", "→")))
    record = RunFolder(tmp_path, "one").read()
    assert record is not None
    assert record.command == ("pipeline.run", r"--config=caf\xe9.json", "→")


def test_a_record_does_not_tell_where_the_signing_key_is(tmp_path: Path) -> None:
    key = write_private_key(tmp_path / "where-the-key-is.pem")
    one, section = f"push.signing_key={key}", f'push={{"keep": 3, "signing_key": "{key}"}}'
    config = load_config(Path("pipeline_config.json"), [one])
    command = ("pipeline.run", "--set", one, f"--set={one}", f"--set={section}", "--set=push.keep=4")
    record = _new_record("one", config, command)
    assert "where-the-key-is" not in record.model_dump_json()
    assert record.command[:4] == ("pipeline.run", "--set", "push.signing_key=...", "--set=push.signing_key=...")
    assert record.command[4:] == ('--set=push={"keep": 3, "signing_key":...', "--set=push.keep=4")
    assert make_config(record.config, "the record").push == config.push.model_copy(update={"signing_key": None})


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        (["--s3_secret_access_key=told"], ["--s3_secret_access_key=..."]),
        (["--s3_session_token", "told"], ["--s3_session_token", "..."]),
        (
            ['--environment_config={"env": {"AWS_SECRET_ACCESS_KEY": "told", "TMPDIR": "/tmp"}}'],
            ['--environment_config={"env": {"AWS_SECRET_ACCESS_KEY": "...", "TMPDIR": "/tmp"}}'],
        ),
        (
            ['--environment_config={"command": "AWS_SESSION_TOKEN=\'told\' /opt/boot"}'],
            ['--environment_config={"command": "AWS_SESSION_TOKEN=\'...\' /opt/boot"}'],
        ),
    ],
)
def test_a_record_does_not_tell_credentials(given: list[str], recorded: list[str]) -> None:
    assert list(without_secrets(given)) == recorded


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "The disk is full (a.png). Free some space and run again."),
        (errno.EFBIG, "A file met a limit of file size (a.png). Raise the limit (ulimit -f), or choose another disk."),
    ],
)
def test_what_a_disk_does_not_take_is_told_by_its_cause(number: int, said: str) -> None:
    assert explain(OSError(number, os.strerror(number), "a.png")) == said
