"""How each component of a run ended, and how the run did."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import ExitCode
from pipeline.orchestrator.elapsed import seconds_since
from pipeline.orchestrator.node_reporter import ended
from pipeline.orchestrator.plan import Plan, Step
from pipeline.orchestrator.run_record import NodeRecord, RunFolder, RunState
from pipeline.orchestrator.run_summary import version_is_new

EXIT_CODES: dict[RunState, ExitCode] = {
    "pushed": ExitCode.DONE,
    "nothing new": ExitCode.DONE,
    "nothing to do": ExitCode.DONE,
    "completed": ExitCode.DONE,
    "not blessed": ExitCode.NOT_BLESSED,
    "failed": ExitCode.FAILED,
    "interrupted": ExitCode.INTERRUPTED,
}


def final_nodes(plan: Plan, run: RunFolder, failure: str) -> tuple[NodeRecord, ...]:
    """Returns the final record of each component.

    Where it is known which component failed, those that ran beside it were stopped; else each may have failed.
    """
    failed = [node.component for node in run.begun_nodes() if node.state == "failed"]
    stopped = f"stopped, because {' and '.join(failed)} failed" if failed else ""
    return tuple(_final_node(step, run, failure, stopped) for step in plan.steps)


def _final_node(step: Step, run: RunFolder, failure: str, stopped: str) -> NodeRecord:
    name = step.component.name
    if step.state == "skipped":
        return NodeRecord(component=name, state="skipped", reason=" ".join(step.reasons))
    node = run.read_node(name)
    if step.manifest is not None and node.state == "waiting":
        node = ended(NodeRecord(component=name, state="reused" if step.state == "reused" else "cached"), step.manifest)
    if node.state == "running" and stopped:
        node = node.model_copy(update={"state": "skipped", "seconds": seconds_since(node.started), "reason": stopped})
    if node.state == "running":
        # Its worker could not record why: the failure came from within the scan, or the worker is gone.
        node = node.model_copy(update={"state": "failed", "seconds": seconds_since(node.started), "reason": failure})
    if node.state == "waiting":
        node = node.model_copy(update={"state": "skipped", "reason": "what it needs was not made"})
    if node.state in ("ran", "cached") and node.summary.get("reasons"):
        node = node.model_copy(update={"state": "skipped", "reason": " ".join(node.summary["reasons"])})
    return node


def final_state(nodes: Sequence[NodeRecord], failure: str, plan: Plan, run_id: str) -> RunState:
    """Returns how the run ended, from how its components did."""
    published = next((node for node in nodes if node.summary.get("version") is not None), None)
    if failure or any(node.state == "failed" for node in nodes):
        return "failed"
    if any(node.summary.get("blessed") is False for node in nodes):
        return "not blessed"
    withheld = (node for node in nodes if node.summary.get("reasons") and plan.step(node.component).state == "run")
    if all(node.state != "ran" for node in nodes) and not any(withheld):
        return "nothing to do"
    if published is None:
        return "completed"
    return "pushed" if version_is_new(published, plan, run_id) else "nothing new"
