"""`python -m pipeline.runs`: lists the runs below a pipeline root, from their records."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from components.object_storage import is_remote
from pipeline.errors import ExitCode, UsageError, explain
from pipeline.orchestrator.killed import settled
from pipeline.orchestrator.run_record import RunFolder, RunRecord, run_records, shown_state
from pipeline.store.opening import DEFAULT_ROOT, fetch_root
from pipeline.text import format_value, print_any_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one line per run, the newest last, or one JSON object per line. Returns the exit code."""
    print_any_text()
    options = make_parser().parse_args(arguments)
    try:
        root = fetch_root(options.pipeline_root)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except OSError as error:
        print(f"error: {explain(error)}", file=sys.stderr)
        return ExitCode.FAILED
    records = list(run_records(root))
    if not records:
        place = options.pipeline_root if is_remote(options.pipeline_root) else root
        is_begun = place == root and root.is_dir()
        print(f"{'' if is_begun else 'error: '}there are no runs in {place}", file=sys.stderr)
        return ExitCode.DONE if is_begun else ExitCode.USAGE
    for each in records:
        record = settled(root, each, RunFolder(root, each.run_id).begun_nodes())
        print(json.dumps(record.model_dump(mode="json")) if options.output == "json" else _line(record))
    return ExitCode.DONE


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.runs", description="Lists runs, the newest last.")
    parser.add_argument(
        "--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root; also s3:// and gs://"
    )
    parser.add_argument("--output", choices=("text", "json"), default="text", help="json: one JSON object per line")
    return parser


def _line(record: RunRecord) -> str:
    """Returns `20261123-024500-4f2a  2026-11-23 02:45  pushed  178.2 s  version 3  accuracy 0.801  ran ingest`."""
    evaluation, push = record.node_with("blessed"), record.node_with("version")
    accuracy = evaluation.summary.get("accuracy") if evaluation else None
    version = push.summary.get("version") if push else None
    started = record.started[:16].replace("T", " ")
    words = [
        f"{record.run_id:<20}  {started}  {shown_state(record):<13} {record.seconds:7.1f} s",
        f"version {version}" if version is not None else "",
        f"accuracy {format_value(accuracy)}" if accuracy is not None else "",
        record.reason.removeprefix(f"{record.state} "),
        "ran " + " ".join(ran) if (ran := [node.component for node in record.nodes if node.state == "ran"]) else "",
    ]
    return "  ".join(word for word in words if word)


if __name__ == "__main__":
    sys.exit(main())
