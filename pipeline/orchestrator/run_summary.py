"""The summary at the end of a run: as text for people, and as JSON for scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO

from components.registry.layout import EXTRA, PROVENANCE
from pipeline.orchestrator.console import describe
from pipeline.orchestrator.plan import Plan
from pipeline.orchestrator.run_record import REPORT_NAME, NodeRecord, RunFolder, RunRecord
from pipeline.text import short_path

# By the end of the file's name.
NAMED_FILES = {
    ".mlpackage": "Core ML",
    ".mlmodel": "Core ML",
    ".tflite": "LiteRT",
    ".onnx": "ONNX",
    ".html": "model card",
}


def print_outcome(record: RunRecord, plan: Plan, run: RunFolder, failure: str, out: TextIO) -> None:
    """Prints what was made and where, or what failed and what to do."""
    if plan.nothing_to_do:
        for node in record.nodes:
            print(describe(node), file=out)
    for line in _verdict(record, plan, run, failure):
        print(line, file=out)
    directory = _version_directory(plan, record.node_with("version"))
    if directory is not None and record.state in ("pushed", "nothing new", "nothing to do"):
        _print_version(directory, _url(directory, plan), out)
    print(f"record      {short_path(run.path / 'run.json')}   ({record.seconds:.1f} s)", file=out)


def _verdict(record: RunRecord, plan: Plan, run: RunFolder, failure: str) -> list[str]:
    push = record.node_with("version") or record.nodes[-1]
    why_not = push.reason
    idle = ["nothing to do: nothing changed since the last run"] if plan.nothing_to_do else []
    if record.state == "failed":
        log = f"The traceback is in {short_path(run.log)}. The same command goes on from what is done."
        return [*failures(record, failure), log]
    if record.state == "interrupted":
        return [f"stopped: {failure}"]
    if record.state == "not blessed":
        return [*idle, f"not pushed, not blessed: {why_not or 'the evaluation says why'}"]
    if record.state == "nothing new":
        return [f"nothing new: this model was published before, as version {push.summary['version']}"]
    if record.state == "completed" and why_not:
        return [f"not pushed: {why_not}"]
    return idle


def failures(record: RunRecord, failure: str) -> list[str]:
    """Returns which components failed and why, a line each; `failure` where no component is known to have."""
    failed = [f"{node.component} failed: {node.reason}" for node in record.nodes if node.state == "failed"]
    return failed or [f"the run failed: {failure}"]


def report(record: RunRecord, plan: Plan, failure: str, page: Path | None) -> dict[str, Any]:
    """Returns the object that `--output=json` prints."""
    evaluation, push = record.node_with("blessed"), record.node_with("version")
    directory = _version_directory(plan, push)
    shown = ("component", "state", "seconds", "reason", "key", "artifact", "digest", "summary")
    metrics = {} if evaluation is None else {k: v for k, v in evaluation.summary.items() if k != "blessed"}
    return {
        "run_id": record.run_id,
        "status": record.state,
        "nothing_to_do": plan.nothing_to_do,
        "seconds": record.seconds,
        "nodes": [node.model_dump(include=set(shown)) for node in record.nodes],
        "metrics": metrics,
        "pushed": None
        if push is None or directory is None
        else {"version": push.summary["version"], "directory": str(directory), "url": _url(directory, plan) or None},
        "reasons": [failure] if failure else [] if push is None else push.summary.get("reasons", []),
        "report": None if page is None else str(page),
    }


def existing_page(record: RunRecord, plan: Plan) -> Path | None:
    """Returns the report that lies beside the run's evaluation, or None if there is none."""
    evaluation = record.node_with("blessed")
    if evaluation is None or not evaluation.artifact:
        return None
    page = (plan.store.root / evaluation.artifact).parent / REPORT_NAME
    return page if page.exists() else None


def version_is_new(push: NodeRecord, plan: Plan, run_id: str) -> bool:
    """Returns whether this run published the version: the version's own provenance names the run that did."""
    directory = _version_directory(plan, push)
    return directory is not None and json.loads((directory / PROVENANCE).read_bytes()).get("run_id") == run_id


def _version_directory(plan: Plan, node: NodeRecord | None) -> Path | None:
    manifest = plan.store.find(node.component, node.key) if node is not None and node.key else None
    place = manifest.places.get("version_directory") if manifest is not None else None
    if manifest is None or place is None:
        return None
    plan.store.fetch(manifest)  # this machine may have only the documents of the version
    return plan.store.root / place


def _url(directory: Path, plan: Plan) -> str:
    """Returns where a version lies in object storage; "" where the root is not there."""
    return f"{plan.store.url}/{directory.relative_to(plan.store.root)}" if plan.store.url else ""


def _print_version(directory: Path, url: str, out: TextIO) -> None:
    if url:
        print(f"published   {url}, of which this machine has a copy:", file=out)
    print(f"SavedModel  {short_path(directory)}", file=out)
    for path in sorted((directory / EXTRA).iterdir()):
        if kind := NAMED_FILES.get(path.suffix):
            print(f"{kind:<10}  {short_path(path)}", file=out)
