"""Tries a run again on this machine after shards of a scan failed. What is done by then is found by its key.

An engine tries shards again by itself; Beam's local runner does not.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping

from pipeline.orchestrator.lookup import Retry
from pipeline.orchestrator.plan import Plan
from pipeline.orchestrator.run_record import NodeRecord, RunFolder
from pipeline.orchestrator.worker_error import innermost, is_final, is_within


def try_scans_again(run_graph: Callable[[Mapping[str, Retry]], None], plan: Plan, run: RunFolder) -> None:
    """Calls `run_graph` until it ends, or a failure is final: a refusal, or the last attempt that the config allows.

    A scan counts no attempt if another run has made its artifact meanwhile: what the two share is removed then.

    Raises that failure. `run_graph` gets the retries of scans, by component; none at first.
    """
    retries: dict[str, Retry] = {}
    while True:
        try:
            return run_graph(retries)
        except Exception as error:
            failed = _failed_scans(error, run)
            again = {node.component: _retry(node, plan, retries) for node in failed if not _is_made(node, plan)}
            if not failed or any(retry.number > retry.most for retry in again.values()):
                raise
            _record(failed, again, error, run)
            retries |= again


def _failed_scans(error: Exception, run: RunFolder) -> list[NodeRecord]:
    """Returns the scans that an error ended, if it is worth another attempt.

    Of the steps beside the shards, `ComponentRun` has counted the attempts: what says "failed" there is final.
    """
    nodes = run.begun_nodes()
    if run.stopping or is_final(error) or any(node.state == "failed" for node in nodes):
        return []
    scanning = [node for node in nodes if node.is_scanning]
    return [node for node in scanning if is_within(error, node.component)] or scanning


def _is_made(node: NodeRecord, plan: Plan) -> bool:
    """Returns whether another run has made what the scan was to make; of a forced scan that does not count."""
    is_forced = node.component in plan.selection.forced
    return not is_forced and bool(node.key) and plan.store.find(node.component, node.key) is not None


def _retry(node: NodeRecord, plan: Plan, retries: Mapping[str, Retry]) -> Retry:
    earlier, most = retries.get(node.component), plan.step(node.component).component.config.max_attempts
    return Retry(2 if earlier is None else earlier.number + 1, most, node.started)


def _record(failed: list[NodeRecord], retries: Mapping[str, Retry], error: Exception, run: RunFolder) -> None:
    """Records why the attempts failed, and that whatever is not done waits again: its workers may be gone."""
    notes = {node.component: "what another run has made" for node in failed}
    notes |= {component: retry.note for component, retry in retries.items()}
    for component, note in notes.items():
        run.append_log(f"{component} failed, and goes on with {note}:\n{traceback.format_exc()}")
    for node in run.begun_nodes():
        if node.state == "running":
            note = notes.get(node.component, "")
            run.write_waiting(node.component, f"{note} after {innermost(error)}" if note else "")
