from __future__ import annotations

import dataclasses
import math
import os

import pytest

from components.artifacts import Check, Evaluation
from pipeline.orchestrator.run_artifacts import RunArtifacts, gather
from pipeline.orchestrator.run_record import NodeRecord, RunState
from pipeline.report.verdict import give_verdict
from tests.pipeline.report.conftest import SECOND, TwoRuns

NO_PROCESS = 2**22 + 1  # beyond the largest number that Linux gives


def check(passed: bool) -> Check:
    reason = "accuracy is 0.4, at least 0.5 was asked for."
    return Check(metric="accuracy", slice="overall", value=0.4, bound=">= 0.5", passed=passed, reason=reason)


@pytest.fixture
def run(two_runs: TwoRuns) -> RunArtifacts:
    return gather(two_runs.root.path, SECOND)


def judged(run: RunArtifacts, *passed: bool) -> RunArtifacts:
    """The same with these checks."""
    evaluation = run.evaluation
    assert isinstance(evaluation, Evaluation)
    changes = {"checks": tuple(map(check, passed)), "blessed": all(passed)}
    artifacts = run.artifacts | {"evaluate": evaluation.model_copy(update=changes)}
    return dataclasses.replace(run, artifacts=artifacts)


def ended(run: RunArtifacts, state: RunState, *nodes: NodeRecord, process: int = NO_PROCESS) -> RunArtifacts:
    """The same with another end."""
    record = run.record.model_copy(update={"state": state, "process": process})
    return dataclasses.replace(run, record=record, nodes=nodes or run.nodes)


def test_pushed(run: RunArtifacts) -> None:
    verdict = give_verdict(judged(run, True, True))
    assert (verdict.tone, verdict.badge) == ("good", "pushed")
    assert verdict.sentence == "Published as version 1: both checks passed."
    assert verdict.reasons == ()


def unjudged() -> Check:
    reason = "The change of accuracy is not judged: no version was published before this model."
    return Check(
        metric="accuracy", slice="overall", of="change", value=math.nan, bound=">= 0", passed=True, reason=reason
    )


def test_a_check_without_a_figure_does_not_count_as_passed(run: RunArtifacts) -> None:
    evaluation = run.evaluation
    assert evaluation is not None
    checks = (check(passed=True), check(passed=True), unjudged())
    first = dataclasses.replace(
        run, artifacts=run.artifacts | {"evaluate": evaluation.model_copy(update={"checks": checks})}
    )
    assert give_verdict(first).sentence == "Published as version 1: 2 checks passed, 1 was not judged."


def test_pushed_without_thresholds(run: RunArtifacts) -> None:
    assert give_verdict(judged(run)).sentence == "Published as version 1: no threshold was set."


def test_not_blessed_gives_the_reasons_and_the_failed_checks_first(run: RunArtifacts) -> None:
    verdict = give_verdict(judged(run, True, False))
    assert (verdict.tone, verdict.badge) == ("bad", "not blessed")
    assert verdict.sentence == "Nothing was published: 1 of 2 checks failed."
    assert verdict.reasons == ("accuracy is 0.4, at least 0.5 was asked for.",)
    assert [each.passed for each in verdict.checks] == [False, True]


def test_failed_names_the_component_and_the_reason(run: RunArtifacts) -> None:
    node = NodeRecord(component="train", state="failed", reason="The loss became nan.")
    verdict = give_verdict(ended(run, "failed", node))
    assert (verdict.badge, verdict.sentence) == ("failed", "The run failed in train.")
    assert verdict.reasons == ("The loss became nan.",)


@pytest.mark.parametrize("state", ["running", "killed"])
def test_a_run_whose_process_is_gone_was_killed(run: RunArtifacts, state: RunState) -> None:
    node = NodeRecord(
        component="train", state="running", peak_memory_bytes=13_900_000_000, memory_limit_bytes=14_000_000_000
    )
    verdict = give_verdict(ended(run, state, node))
    assert (verdict.tone, verdict.badge) == ("bad", "killed")
    assert verdict.sentence == "The run was killed in train; its memory was last 13.9 GB of 14.0 GB."
    assert verdict.reasons == ("The same command goes on from what is done.",)


def test_a_run_that_somebody_stopped_names_the_component(run: RunArtifacts) -> None:
    verdict = give_verdict(ended(run, "interrupted", NodeRecord(component="train", state="failed")))
    assert (verdict.badge, verdict.sentence) == ("stopped", "The run was stopped in train.")


def test_a_model_that_was_published_before_is_not_called_pushed(run: RunArtifacts) -> None:
    verdict = give_verdict(ended(run, "nothing new"))
    assert (verdict.tone, verdict.badge) == ("plain", "nothing new")
    assert "published before, as version 1" in verdict.sentence


def test_a_run_whose_process_is_there_goes_on(run: RunArtifacts) -> None:
    assert give_verdict(ended(run, "running", process=os.getpid())).badge == "running"


def test_a_run_of_another_machine_goes_on_there(run: RunArtifacts) -> None:
    there = ended(run, "running")
    verdict = give_verdict(dataclasses.replace(there, record=there.record.model_copy(update={"host": "m1"})))
    assert (verdict.tone, verdict.badge) == ("plain", "running")
    assert verdict.sentence == "The run is still at work on m1."


def test_a_run_that_was_told_to_stop_early_says_what_it_left_out(run: RunArtifacts) -> None:
    early = dataclasses.replace(run, artifacts={})
    verdict = give_verdict(ended(early, "completed", NodeRecord(component="push", state="skipped")))
    assert verdict.sentence == "No model was evaluated. Left out: push."
