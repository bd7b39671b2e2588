from __future__ import annotations

import dataclasses
import os

import pytest

from components.artifacts import Check, Evaluation
from pipeline.record import NodeRecord, RunState
from pipeline.report.evidence import Evidence, gather
from pipeline.report.verdict import give_verdict
from tests.pipeline.report.conftest import SECOND, TwoRuns

NO_PROCESS = 2**22 + 1  # beyond the largest number that Linux gives


def check(passed: bool) -> Check:
    reason = "accuracy is 0.4, at least 0.5 was asked for."
    return Check(metric="accuracy", slice="overall", value=0.4, bound=">= 0.5", passed=passed, reason=reason)


@pytest.fixture
def evidence(two_runs: TwoRuns) -> Evidence:
    return gather(two_runs.root.path, SECOND)


def judged(evidence: Evidence, *passed: bool) -> Evidence:
    """The same with these checks."""
    evaluation = evidence.evaluation
    assert isinstance(evaluation, Evaluation)
    changes = {"checks": tuple(map(check, passed)), "blessed": all(passed)}
    artifacts = evidence.artifacts | {"evaluate": evaluation.model_copy(update=changes)}
    return dataclasses.replace(evidence, artifacts=artifacts)


def ended(evidence: Evidence, state: RunState, *nodes: NodeRecord, process: int = NO_PROCESS) -> Evidence:
    """The same with another end."""
    record = evidence.record.model_copy(update={"state": state, "process": process})
    return dataclasses.replace(evidence, record=record, nodes=nodes or evidence.nodes)


def test_pushed(evidence: Evidence) -> None:
    verdict = give_verdict(judged(evidence, True, True))
    assert (verdict.tone, verdict.badge) == ("good", "pushed")
    assert verdict.sentence == "Published as version 1: all 2 checks passed."
    assert verdict.reasons == ()


def test_pushed_without_thresholds(evidence: Evidence) -> None:
    assert give_verdict(judged(evidence)).sentence == "Published as version 1: no threshold was set."


def test_not_blessed_gives_the_reasons_and_the_failed_checks_first(evidence: Evidence) -> None:
    verdict = give_verdict(judged(evidence, True, False))
    assert (verdict.tone, verdict.badge) == ("bad", "not blessed")
    assert verdict.sentence == "Nothing was published: 1 of 2 checks failed."
    assert verdict.reasons == ("accuracy is 0.4, at least 0.5 was asked for.",)
    assert [each.passed for each in verdict.checks] == [False, True]


def test_failed_names_the_component_and_the_reason(evidence: Evidence) -> None:
    node = NodeRecord(component="train", state="failed", reason="The loss became nan.")
    verdict = give_verdict(ended(evidence, "failed", node))
    assert (verdict.badge, verdict.sentence) == ("failed", "The run failed in train.")
    assert verdict.reasons == ("The loss became nan.",)


def test_a_run_whose_process_is_gone_was_stopped(evidence: Evidence) -> None:
    verdict = give_verdict(ended(evidence, "running", NodeRecord(component="train", state="running")))
    assert (verdict.badge, verdict.sentence) == ("stopped", "The run was stopped in train.")


def test_a_run_that_somebody_stopped_names_the_component(evidence: Evidence) -> None:
    verdict = give_verdict(ended(evidence, "interrupted", NodeRecord(component="train", state="failed")))
    assert (verdict.badge, verdict.sentence) == ("stopped", "The run was stopped in train.")


def test_a_model_that_was_published_before_is_not_called_pushed(evidence: Evidence) -> None:
    verdict = give_verdict(ended(evidence, "nothing new"))
    assert (verdict.tone, verdict.badge) == ("plain", "nothing new")
    assert "published before, as version 1" in verdict.sentence


def test_a_run_whose_process_is_there_goes_on(evidence: Evidence) -> None:
    assert give_verdict(ended(evidence, "running", process=os.getpid())).badge == "running"


def test_a_run_that_was_told_to_stop_early_says_what_it_left_out(evidence: Evidence) -> None:
    early = dataclasses.replace(evidence, artifacts={})
    verdict = give_verdict(ended(early, "completed", NodeRecord(component="push", state="skipped")))
    assert verdict.sentence == "No model was evaluated. Left out: push."
