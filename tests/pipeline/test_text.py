"""Texts in terminals of every encoding. How numbers are written is tested where they are shown."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.__main__ import COMMANDS
from pipeline.orchestrator.run_record import RunFolder, RunRecord
from pipeline.runs import main as runs
from pipeline.text import PRINTABLE, printable
from tests.conftest import QUICK_RUN

REPOSITORY = Path(__file__).parents[2]
ERRORS_AFTER_HELP = """
import sys
from pipeline.__main__ import main
try:
    main([sys.argv[1], "--help"])
except SystemExit:
    print(sys.stdout.errors, sys.stderr.errors)
"""


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("ascii", b"seed 0 -> 7 ##-- \\u0444\\xe9 ... caf\xe9.png \\ud800"),
        ("latin-1", b"seed 0 -> 7 ##-- \\u0444\xe9 ... caf\xe9.png \\ud800"),
        ("utf-8", "seed 0 → 7 ━━╌╌ фé … ".encode() + b"caf\xe9.png \\ud800"),
    ],
)
def test_a_stream_prints_what_its_encoding_lacks_as_what_looks_like_it(encoding: str, printed: bytes) -> None:
    target = io.BytesIO()
    with io.TextIOWrapper(target, encoding, errors=PRINTABLE) as stream:
        stream.write("seed 0 → 7 ━━╌╌ фé … caf\udce9.png \ud800")
        stream.flush()
        assert target.getvalue() == printed


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_print_any_text(command: str) -> None:
    program = [sys.executable, "-c", ERRORS_AFTER_HELP, command]
    found = subprocess.run(program, capture_output=True, text=True, cwd=REPOSITORY)
    assert found.stdout.splitlines()[-1] == f"{PRINTABLE} {PRINTABLE}"


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], ids=["latin-1", "ascii"]
)
def test_a_plan_is_printed_in_any_terminal(environment: dict[str, str], sample_root: Path) -> None:
    settings = [f"--set={each}" for each in (*QUICK_RUN, "train.random_seed=7")]
    command = [sys.executable, "-m", "pipeline.run", "--plan", f"--pipeline_root={sample_root}", *settings]
    found = subprocess.run(command, capture_output=True, env=os.environ | environment, cwd=REPOSITORY)
    assert found.returncode == 0, found.stderr
    assert b"config: random_seed 0 -> 7" in found.stdout


def test_json_is_ascii(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("pipeline.run", "--config=café → ф.json")
    RunFolder(tmp_path, "one").begin(
        RunRecord(run_id="one", state="failed", command=command, started="2026", process=1, config={})
    )
    assert runs([f"--pipeline_root={tmp_path}", "--output=json"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out)["command"] == list(command)


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_command_works_with_its_streams_closed(closed: str) -> None:
    program = "from pipeline.text import print_any_text; print_any_text(); import os, sys; sys.stdout.flush(); "
    program += "print(1, file=sys.stdout); print(1, file=sys.stderr); os.dup(1); os.dup(2)"
    found = subprocess.run(["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, program], cwd=REPOSITORY)
    assert found.returncode == 0


@pytest.mark.parametrize("command", [["config"], ["config", "--schema"], ["run", "--plan", "--output=json"]])
def test_nobody_has_to_read_what_a_command_prints(command: list[str]) -> None:
    """As in `python -m pipeline config | head -1`, with a reader that is gone before the command prints."""
    reader, writer = os.pipe()
    os.close(reader)
    typed = [sys.executable, "-m", "pipeline", *command]
    found = subprocess.run(typed, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    os.close(writer)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("command", [[], ["config"], ["runs", "--help"]])
def test_a_full_disk_is_told_in_a_sentence(command: list[str]) -> None:
    with open("/dev/full", "w") as full:
        typed = [sys.executable, "-m", "pipeline", *command]
        found = subprocess.run(typed, stdout=full, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert (found.returncode, found.stderr) == (1, "error: stdout cannot be written: No space left on device\n")


def test_control_characters_are_shown_as_escapes() -> None:
    assert printable("a\x1b[31mb\nc é\udce9.jpg") == "a\\x1b[31mb\\nc é\udce9.jpg"
