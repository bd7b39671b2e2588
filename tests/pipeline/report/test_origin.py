from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.orchestrator.run_artifacts import gather
from pipeline.report.origin import find_origin
from tests.pipeline.report.conftest import SECOND, TwoRuns

CONFIG = Path(__file__).parents[3] / "pipeline_config.json"


def test_rows_are_the_components_in_the_order_of_the_run(two_runs: TwoRuns) -> None:
    origin = find_origin(gather(two_runs.root.path, SECOND))
    assert [row.component for row in origin.rows] == ["ingest", "normalize", "train", "evaluate", "push"]
    assert origin.libraries == {"Python": "3.11", "tensorflow": "2.21.0", "keras": "3.15.1"}


def test_the_command_is_the_one_that_was_given(two_runs: TwoRuns) -> None:
    origin = find_origin(gather(two_runs.root.path, SECOND))
    assert origin.command == "python -m pipeline.run --runner=DirectRunner --set train.epochs=16"


def test_the_reproduction_is_a_command_that_hands_over_the_whole_config(two_runs: TwoRuns) -> None:
    origin = find_origin(gather(two_runs.root.path, SECOND))
    first_line = origin.reproduction.splitlines()[0]
    assert first_line == "python -m pipeline.run --config=/dev/stdin --runner=DirectRunner <<'CONFIG'"
    script = origin.reproduction.replace(
        "python -m pipeline.run --config=/dev/stdin --runner=DirectRunner",
        f"{sys.executable} -c 'import pathlib; print(pathlib.Path(\"/dev/stdin\").read_text())'",
    )
    read = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert json.loads(read) == {"train": {"recipe": "small_data", "epochs": 16}}


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ('ingest.splits={"train": "train", "test": "test"}', "push.variants=[]"),
        ("push.keep=null",),
        ("train.recipe=tutorial", 'evaluate.thresholds={"recall": {"slices": {"class=cat": {"min": 0.5}}}}'),
    ],
)
def test_the_reproduction_reads_back_as_the_same_config(
    two_runs: TwoRuns, tmp_path: Path, settings: tuple[str, ...]
) -> None:
    config = load_config(CONFIG, settings)
    run = gather(two_runs.root.path, SECOND)
    record = run.record.model_copy(update={"config": config.model_dump(mode="json")})
    _, *lines, _ = find_origin(dataclasses.replace(run, record=record)).reproduction.splitlines()
    (tmp_path / "config.json").write_text("\n".join(lines))
    assert load_config(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (("--set", "a.b=c", "--to", "train"), "--to train"),
        (("--set=a.b=c", "--run_id=one", "--output", "json", "--parallelism=2"), "--parallelism=2"),
        (("--force", "train", "--from=train"), ""),
    ],
)
def test_what_the_config_replaces_is_left_out(two_runs: TwoRuns, arguments: tuple[str, ...], kept: str) -> None:
    run = gather(two_runs.root.path, SECOND)
    record = run.record.model_copy(update={"command": ("run.py", *arguments)})
    reproduction = find_origin(dataclasses.replace(run, record=record)).reproduction
    expected = f"python -m pipeline.run --config=/dev/stdin {kept}".strip()
    assert reproduction.splitlines()[0] == f"{expected} <<'CONFIG'"
