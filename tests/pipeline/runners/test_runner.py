from __future__ import annotations

from pathlib import Path

import pytest
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.runners.portability.prism_runner import PrismRunner

from pipeline.errors import UsageError
from pipeline.runners.runner import DIRECT_RUNNER, make_options
from tests.pipeline.runners.test_component_transform import run, states


def test_the_direct_runner_is_beams_own_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[type] = []
    run_pipeline = FnApiRunner.run_pipeline

    def watched(self: FnApiRunner, *arguments: object) -> object:
        ran.append(type(self))
        return run_pipeline(self, *arguments)

    def refused(*_: object) -> None:
        raise AssertionError("Prism would be downloaded")

    monkeypatch.setattr(FnApiRunner, "run_pipeline", watched)
    for name in ("__init__", "run_pipeline", "default_job_server"):
        monkeypatch.setattr(PrismRunner, name, refused)
    assert states(run(tmp_path)) == ["ran", "ran", "ran"]
    assert ran == [FnApiRunner]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--direct_num_worker=2", "--direct_num_worker: neither this command nor Beam's DirectRunner knows this"),
        ("--direct_num_worker=2", "Did you mean --direct_num_workers?"),
        (
            "--direct_num_workers=x",
            "Beam cannot read its options: argument --direct_num_workers: invalid int value: 'x'",
        ),
    ],
)
def test_options_that_nobody_would_read_are_refused(
    option: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError) as refused:
        make_options(DIRECT_RUNNER, [option])
    assert message in str(refused.value)
    assert capsys.readouterr().err == ""


def test_other_runners_may_know_more_options() -> None:
    assert make_options("FlinkRunner", ["--of_another=x"]) is not None
