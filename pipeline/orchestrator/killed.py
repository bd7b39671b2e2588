"""Tells of runs whose process was killed and left no word, as when the kernel ends a process because memory is full."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterable
from pathlib import Path

from pipeline.orchestrator.root_lock import process_began
from pipeline.orchestrator.run_record import NodeRecord, RunFolder, RunRecord, is_alive, is_elsewhere, run_records

SILENCE_SECONDS = 3600.0  # a run at work writes far more often: another machine's that does not is taken for killed

WAYS_OUT = (
    "If memory was full, use fewer processes (--direct_num_workers) or smaller batches. "
    "If a disk in memory (tmpfs) was, free some space."
)


def was_killed(root: Path, record: RunRecord) -> bool:
    """Returns whether the run's process was killed: it has recorded no end, and is gone from this machine.

    A process of another machine cannot be seen. It is taken for killed if its run has written nothing for an hour.
    """
    if record.state != "running" or is_alive(record):
        return record.state == "killed"
    return not is_elsewhere(record) or last_heard(RunFolder(root, record.run_id)) < time.time() - SILENCE_SECONDS


def last_heard(run: RunFolder) -> float:
    """Returns when a run last wrote anything, in seconds since 1970; now if a file vanishes meanwhile.

    Its pages do not count: whoever looks at the run may make them, on any machine.
    """
    files = [run.path / "run.json", *run.path.glob("nodes/*"), *run.path.glob("log*.txt")]
    try:
        return max(path.stat().st_mtime for path in files)
    except FileNotFoundError:
        return time.time()


def settled(root: Path, record: RunRecord, nodes: Iterable[NodeRecord]) -> RunRecord:
    """Returns the record; that of a killed run with the state "killed", and with where that was as its reason.

    `nodes` are the run's nodes, from their own files.
    """
    if not was_killed(root, record) or record.reason:
        return record
    silence = f"; {record.host} has written nothing for an hour" if is_elsewhere(record) else ""
    return record.model_copy(update={"state": "killed", "reason": describe_end(nodes) + silence})


def describe_end(nodes: Iterable[NodeRecord]) -> str:
    """Returns `killed in train; its memory was last 13.9 GB of 14.0 GB` about the nodes that were at work."""
    at_work = [node for node in nodes if node.state == "running"]
    where = " and ".join(node.component for node in at_work)
    memory = describe_memory(max(at_work, key=lambda node: node.peak_memory_bytes, default=None))
    return "; ".join(filter(None, (f"killed in {where}" if where else "killed", memory)))


def describe_memory(node: NodeRecord | None) -> str:
    """Returns `its memory was last 13.9 GB of 14.0 GB`, or an empty string if the node's process recorded none."""
    if node is None or not node.peak_memory_bytes:
        return ""
    return f"its memory was last {node.peak_memory_bytes / 1e9:.1f} GB of {node.memory_limit_bytes / 1e9:.1f} GB"


def killed_worker(run: RunFolder) -> str:
    """Returns which process of this machine is gone while its component is at work; an empty string if none is."""
    for node in run.begun_nodes():
        if node.state != "running":
            continue
        for worker in sorted({node.worker, *run.scanned_by(node.component)}):
            host, _, process = worker.rpartition(":")
            if host == socket.gethostname() and not process_began(int(process)):
                memory = describe_memory(node)
                killed = f"worker process {process} was killed in {node.component}{f'; {memory}' if memory else ''}"
                return f"{killed}. {WAYS_OUT}"
    return ""


def record_killed(root: Path) -> list[RunRecord]:
    """Writes into the records of this machine's killed runs that they were, and returns those that did not say so."""
    found = []
    for record in run_records(root):
        if record.state == "running" and record.host == socket.gethostname() and was_killed(root, record):
            run = RunFolder(root, record.run_id)
            found.append(settled(root, record, run.begun_nodes()))
            with contextlib.suppress(OSError):  # a root that cannot be written to is the new run's own trouble
                run.write(found[-1])
    return found
