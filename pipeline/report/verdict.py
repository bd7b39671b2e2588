"""The verdict of a run: how it ended, in a sentence, and why."""

from __future__ import annotations

from typing import Literal, NamedTuple

from components.artifacts import Check
from pipeline.orchestrator.killed import settled, was_killed
from pipeline.orchestrator.run_artifacts import RunArtifacts
from pipeline.orchestrator.run_record import is_elsewhere

Tone = Literal["good", "bad", "plain"]

SAME_COMMAND = "The same command goes on from what is done."
CHECKS_SHOWN = 300  # each is a row and a sentence of about 600 bytes


class Verdict(NamedTuple):
    """The verdict at the top of the page."""

    tone: Tone
    badge: str  # a word or two
    sentence: str
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]  # the failed ones first

    @property
    def shown_checks(self) -> tuple[Check, ...]:
        """The first 300 checks, which the page shows."""
        return self.checks[:CHECKS_SHOWN]

    @property
    def hidden_checks(self) -> tuple[Check, ...]:
        """The checks that the page does not show."""
        return self.checks[CHECKS_SHOWN:]


def give_verdict(run: RunArtifacts) -> Verdict:
    """Returns the verdict from the run's state, its checks and its failed nodes."""
    evaluation = run.evaluation
    checks = () if evaluation is None else tuple(sorted(evaluation.checks, key=lambda check: check.passed))
    reasons = () if evaluation is None else evaluation.reasons
    state = run.record.state
    if state in ("failed", "interrupted", "killed", "running"):
        return _unfinished(run, checks)
    if evaluation is None:
        return Verdict("plain", state, f"No model was evaluated. {_reach(run)}", (), checks)
    version = run.push.version if run.push else None
    if not evaluation.blessed:
        return Verdict("bad", "not blessed", f"Nothing was published: {_count(checks)}.", reasons, checks)
    if version is None:
        return Verdict("good", "blessed", f"The model is good enough: {_count(checks)}. {_reach(run)}", (), checks)
    if state == "nothing new":
        sentence = f"This model was published before, as version {version}: {_count(checks)}."
        return Verdict("plain", state, sentence, (), checks)
    again = " The run itself had nothing to do." if state == "nothing to do" else ""
    return Verdict("good", "pushed", f"Published as version {version}: {_count(checks)}.{again}", (), checks)


def _unfinished(run: RunArtifacts, checks: tuple[Check, ...]) -> Verdict:
    record = run.record
    failed = [node for node in run.nodes if node.state == "failed"]
    if record.state == "failed":
        where = " and ".join(node.component for node in failed) or "the runner"
        reasons = tuple(node.reason for node in failed if node.reason)
        return Verdict("bad", "failed", f"The run failed in {where}.", reasons, checks)
    if was_killed(run.root, record):
        reason = settled(run.root, record, run.nodes).reason
        return Verdict("bad", "killed", f"The run was {reason}.", (SAME_COMMAND,), checks)
    if record.state == "running":
        where = f" on {record.host}" if is_elsewhere(record) else ""
        return Verdict("plain", "running", f"The run is still at work{where}.", (), checks)
    at = [node.component for node in run.nodes if node.state in ("running", "failed")]
    sentence = f"The run was stopped in {at[0]}." if at else "The run was stopped."
    return Verdict("bad", "stopped", sentence, (SAME_COMMAND,), checks)


def _count(checks: tuple[Check, ...]) -> str:
    """Returns `all 5 checks passed`, `2 of 5 checks failed`, or `2 checks passed, 1 was not judged`."""
    judged = [check for check in checks if check.was_judged]
    failed = sum(not check.passed for check in judged)
    if not judged:
        return "no threshold was set" if not checks else "there was nothing to judge"
    if failed:
        return "its check failed" if len(judged) == 1 else f"{failed} of {len(judged)} checks failed"
    if rest := len(checks) - len(judged):
        passed = "1 check" if len(judged) == 1 else f"{len(judged)} checks"
        return f"{passed} passed, {rest} {'was' if rest == 1 else 'were'} not judged"
    return {1: "its check", 2: "both checks"}.get(len(judged), f"all {len(judged)} checks") + " passed"


def _reach(run: RunArtifacts) -> str:
    """Returns which components a run left out, as a sentence; empty if none."""
    skipped = [node.component for node in run.nodes if node.state == "skipped"]
    return f"Left out: {', '.join(skipped)}." if skipped else ""
